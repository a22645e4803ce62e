#!/bin/sh
# The rules of deploy/prometheus/rules/ as PrometheusRules, for the Prometheus Operator:
#
#   sh deploy/kubernetes/monitoring/prometheus-rules.sh | kubectl apply -f -
#
# A file of rules is the `spec` of such an object word for word, which kustomize cannot say.
set -eu

for file in "$(dirname "$0")"/../../prometheus/rules/*.yml; do
  cat <<END
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: groundswell-$(basename "$file" .yml)
  namespace: groundswell
spec:
END
  sed 's/^/  /' "$file"
done
