#!/bin/sh
# Makes what the nodes of a cluster share: the secret by which they prove themselves to each other, and
# a self-signed certificate for trying TLS out.
#   scripts/make-certificate.sh DIR [NAME ...]
# writes DIR/cluster.secret, DIR/cert.pem and DIR/key.pem. The certificate is valid for localhost, node1
# to node3 and each NAME, a host name or an IP address. A secret that is there already stays.
set -eu

dir=${1:?usage: $0 DIR [NAME ...]}
shift
names='DNS:localhost,IP:127.0.0.1,IP:::1,DNS:node1,DNS:node2,DNS:node3'
for name in "$@"; do
  case $name in
    *:* | *[0-9].[0-9]*) names="$names,IP:$name" ;;
    *) names="$names,DNS:$name" ;;
  esac
done

mkdir -p "$dir"
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 \
  -subj '/CN=memhashd' -addext "subjectAltName=$names" \
  -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>/dev/null
chmod 644 "$dir/cert.pem"
[ -s "$dir/cluster.secret" ] || openssl rand -base64 32 >"$dir/cluster.secret"
echo "$dir/cert.pem $dir/key.pem $dir/cluster.secret"
