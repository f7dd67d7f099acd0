#!/bin/sh
# Makes the test certificates anew: self-signed, for loopback, good for more than a hundred years.
# Takes the names of those to make: "", "renewed-" and "client", all when none is given.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# CA:FALSE, because TLS clients that trust it as a root must also take it as the server's own.
cat >"$scratch/openssl.cnf" <<END
[ca]
default_ca = self
[self]
database = $scratch/index
serial = $scratch/serial
new_certs_dir = $scratch
default_md = sha256
policy = any
x509_extensions = loopback
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[loopback]
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
END
make() {
  : >"$scratch/index"
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc \
    -config "$scratch/openssl.cnf" -subj "/CN=Duet test certificate${1:+, renewed}" \
    -keyout "$1key.pem" -out "$scratch/request.pem"
  # "openssl ca" can set the first day: one well past, for machines whose clock is behind.
  openssl ca -batch -notext -selfsign -rand_serial -config "$scratch/openssl.cnf" \
    -keyfile "$1key.pem" -startdate 20200101000000Z -enddate 21270101000000Z \
    -in "$scratch/request.pem" -out "$1cert.pem"
  chmod 644 "$1key.pem" "$1cert.pem"
}

# A client's certificate with the authority that has signed it, and the server's key in its encrypted form.
make_client() {
  : >"$scratch/index"
  cat >>"$scratch/openssl.cnf" <<END
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = DNS:ada
END
  for name in ca client; do
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc \
      -config "$scratch/openssl.cnf" -subj "/CN=Duet test $name" \
      -keyout "$scratch/$name-key.pem" -out "$scratch/$name.csr"
  done
  set -- openssl ca -batch -notext -rand_serial -config "$scratch/openssl.cnf" \
    -startdate 20200101000000Z -enddate 21270101000000Z
  "$@" -selfsign -keyfile "$scratch/ca-key.pem" -extensions authority \
    -in "$scratch/ca.csr" -out client-ca.pem
  "$@" -keyfile "$scratch/ca-key.pem" -cert client-ca.pem -extensions client \
    -in "$scratch/client.csr" -out client-cert.pem
  mv "$scratch/client-key.pem" client-key.pem
  openssl pkcs8 -topk8 -in key.pem -passout pass:secret -out encrypted-key.pem
  chmod 644 client-*.pem encrypted-key.pem
}

if [ $# -eq 0 ]; then set -- "" renewed- client; fi
for name in "$@"; do if [ "$name" = client ]; then make_client; else make "$name"; fi; done
