# Checks of the rules by pint (https://cloudflare.github.io/pint): pint --offline --config deploy/prometheus/pint.hcl lint deploy/prometheus/rules

checks {
  # The groups of slo.yml are evaluated at different intervals on purpose: a series that is a minute old is recent enough for a window of
  # three days.
  disabled = ["rule/dependency"]
}

rule {
  match {
    kind = "alerting"
  }

  annotation "summary" {
    severity = "bug"
    required = true
  }

  annotation "description" {
    severity = "bug"
    required = true
  }

  # Absolute: from the one setting of a deployment.
  annotation "runbook_url" {
    severity = "bug"
    value    = "([{]{2} [$]externalLabels[.]grafana_url [}]{2}|https?:/)/.+"
    required = true
  }

  annotation "dashboard_url" {
    severity = "bug"
    value    = "([{]{2} [$]externalLabels[.]grafana_url [}]{2}|https?:/)/.+"
    required = true
  }

  label "severity" {
    severity = "bug"
    value    = "critical|warning|none"
    required = true
  }

  label "service" {
    severity = "bug"
    required = true
  }
}
