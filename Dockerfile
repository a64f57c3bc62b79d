# syntax=docker/dockerfile:1

ARG NODE_VERSION=24
FROM node:${NODE_VERSION}-slim AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json tsconfig.json tsconfig.build.json ./
COPY src ./src
# The `prepare` script builds dist/.
RUN npm ci && npm prune --omit=dev

FROM node:${NODE_VERSION}-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY LICENSE docker/health.mjs ./
USER node
# Peers, clients.
EXPOSE 2373 8001
# 503 before the node is a member of its cluster counts as sick, too.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["node", "health.mjs"]
ENTRYPOINT ["node", "dist/bin/memhashd.js"]
CMD ["-server-addr", "127.0.0.1:2373", "-client-addr", ":8001"]
