#!/bin/sh
# Makes the keys that are not there yet, in /keys: once, at the first start. In production they come from where your secrets come from.
set -eu
umask 077
for name in customer-key hold-key audit-key; do
  [ -f "/keys/$name" ] || { printf 'base64:%s\n' "$(head -c 32 /dev/urandom | base64 | tr -d '\n')" >"/keys/$name.new" && mv "/keys/$name.new" "/keys/$name"; }
done
# The approval service signs statements with the private key; the processor checks them with the public ones beside it.
[ -f /keys/approval.pem ] || policystreams approvals keygen --out /keys/approval.pem --public /keys/approval.jwks.json
