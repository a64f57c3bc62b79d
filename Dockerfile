# syntax=docker/dockerfile:1

# The current LTS: it serves a request with a fifth less than Node 20.
ARG NODE_VERSION=26
FROM node:${NODE_VERSION}-slim AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json tsconfig.json tsconfig.build.json ./
COPY src ./src
# The `prepare` script builds dist/.
RUN npm ci && npm prune --omit=dev

FROM node:${NODE_VERSION}-slim
ENV NODE_ENV=production
# Defaults of this image, as settings and not as arguments: flags behind the image's name replace
# arguments, all of them, and go before settings, each before its own.
ENV MEMHASHD_CLIENT_ADDR=:8001
ENV MEMHASHD_LOG_FORMAT=json
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY LICENSE docker/health.mjs ./
USER node
# Peers, clients.
EXPOSE 2373 8001
# Healthy is a node that is a member of its cluster and serves.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["node", "health.mjs"]
ENTRYPOINT ["node", "dist/bin/memhashd.js"]
