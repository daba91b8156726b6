#!/bin/sh
# Writes the files of docker-compose.yml's secrets, with passwords made here: one login for
# each service. Nothing that is there already is written again.
set -eu
cd "$(dirname "$0")/../.."

# The folder keeps others out. The files are readable to all: in a container they keep
# their owner here, and are read by another user.
mkdir -p -m 0700 secrets
umask 0333

password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

keep() {
    if [ -e "secrets/$1" ]; then
        echo "secrets/$1 is there already"
    else
        printf '%s\n' "$2" >"secrets/$1"
    fi
}

keep postgres_password "$(password)"
keep admin_database_url "postgresql://postgres:$(cat secrets/postgres_password)@db/warehouse"
keep database_url "postgresql://twap_etl:$(password)@db/warehouse"
keep api_database_url "postgresql://twap_api:$(password)@db/warehouse"
keep grafana_password "$(password)"
keep aws_credentials "[default]
aws_access_key_id = ${AWS_ACCESS_KEY_ID-}
aws_secret_access_key = ${AWS_SECRET_ACCESS_KEY-}"
if grep -q '= $' secrets/aws_credentials; then
    chmod u+w secrets/aws_credentials
    echo "Put your AWS key into secrets/aws_credentials."
fi
