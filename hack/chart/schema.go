package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

type object = map[string]any

// open are values whose names are not ours to know.
var open = map[string]object{
	"server.serviceAccountAnnotations": texts(), "server.service.annotations": texts(),
	"monitoring.serviceMonitor.labels": texts(), "monitoring.prometheusRule.labels": texts(),
	"monitoring.dashboard.labels": texts(), "monitoring.dashboard.annotations": texts(),
}

// closer says more of a value than its default does.
var closer = map[string]object{
	"imagePullPolicy":     {"enum": []string{"Always", "IfNotPresent", "Never"}},
	"imagePullSecrets":    {"items": closed(object{"name": text})},
	"jobtable.namespaces": {"items": closed(object{"name": text, "existingSecret": text})},

	// 0 turns them off.
	"manager.flags.metricsBindAddress": {"type": flagType("value")}, "manager.flags.healthProbeBindAddress": {"type": flagType("value")},
	"jobtable.flags.metricsBindAddress": {"type": flagType("value")}, "jobtable.flags.healthProbeBindAddress": {"type": flagType("value")},
	"manager.flags.pprofBindAddress": {"type": flagType("value")},

	"manager.flags.concurrency": {"minimum": 1}, "manager.flags.deletionsPerSecond": {"minimum": 1},
	"manager.flags.archiveUrl":  {"pattern": "^https://"},
	"manager.flags.runnerMount": {"enum": []any{"auto", "image-volume", "init-container", nil}},
	"server.flags.blobs":        {"pattern": "^(file:|s3://)"},
	"server.flags.database":     {"pattern": "^(sqlite:|postgres(ql)?://)"},
	"server.flags.logLevel":     {"enum": []any{"debug", "info", "warn", "error", nil}},
	"server.flags.oidcIssuer":   {"pattern": "^https://."},
	"server.flags.pageUrl":      {"pattern": "^https://[^/]+/?$"},
	"server.service.type":       {"enum": []string{"ClusterIP", "NodePort", "LoadBalancer"}},
	"server.persistence.size":   quantity,
	"server.persistence.accessModes": {"minItems": 1, "items": object{
		"enum": []string{"ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"},
	}},
	"server.tls.certManager.issuerRef.kind": {"enum": []string{"Issuer", "ClusterIssuer"}},
	"server.tls.certManager.dnsNames":       {"items": object{"type": "string"}},
	"monitoring.prometheusRule.disabled":    {"items": object{"type": "string"}},
}

// quantity is one of Kubernetes, as in 512Mi.
var quantity = object{"type": []string{"string", "number", "null"}, "pattern": "^[0-9.]+([KMGTPE]i|[numkMGTPE]|[eE][0-9]+)?$"}

// What several programs have.
func init() {
	for _, program := range programs {
		amounts := object{"type": "object", "additionalProperties": quantity}
		open[program+".resources"] = closed(object{"limits": amounts, "requests": amounts, "claims": object{"type": "array"}})
		open[program+".affinity"] = closed(object{"nodeAffinity": object{}, "podAffinity": object{}, "podAntiAffinity": object{}})
		for _, name := range []string{"nodeSelector", "podAnnotations", "podLabels"} {
			open[program+"."+name] = texts()
		}
		variable := closed(object{"name": text, "value": text, "valueFrom": object{"type": "object"}})
		variable["required"] = []string{"name"}
		closer[program+".env"] = object{"items": variable}
		for _, name := range []string{"tolerations", "topologySpreadConstraints"} {
			closer[program+"."+name] = object{"items": object{"type": "object"}}
		}
		closer[program+".networkPolicy.extraEgress"] = object{"items": closed(object{"to": object{"type": "array"}, "ports": object{"type": "array"}})}
		closer[program+".podDisruptionBudget.maxUnavailable"] = object{"minimum": 1}
	}
	for _, program := range append([]string{"runner"}, programs...) {
		closer[program+".image.repository"] = object{"pattern": "^([^/]+/)?[a-z0-9._/-]+$"}
		closer[program+".image.tag"] = object{"pattern": "^[A-Za-z0-9._-]*$"}
		closer[program+".image.digest"] = object{"pattern": "^(sha256:[0-9a-f]{64})?$"}
	}
	for _, program := range []string{"manager", "jobtable"} {
		closer[program+".flags.zapEncoder"] = object{"enum": []any{"json", "console", nil}}
		closer[program+".flags.zapLogLevel"] = object{"pattern": "^(debug|info|error|panic|[1-9][0-9]*)$"}
		closer[program+".flags.zapStacktraceLevel"] = object{"enum": []any{"info", "error", "panic", nil}}
		closer[program+".flags.zapTimeEncoding"] = object{"enum": []any{"epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano", nil}}
	}
}

var text = object{"type": "string"}

func texts() object {
	return object{"type": "object", "additionalProperties": object{"type": "string"}}
}

// closed is a mapping that has these properties and no others.
func closed(properties object) object {
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

func isOpen(path string) bool {
	_, is := open[path]
	return is
}

// schema is values.schema.json: the names and types of values.yaml, and no others.
func schema(values *value) ([]byte, error) {
	for _, more := range []map[string]object{open, closer} {
		for path := range more {
			if values.child(path) == nil {
				return nil, fmt.Errorf("hack/chart/schema.go speaks of the value %s, which values.yaml does not have", path)
			}
		}
	}
	root, err := mapping(values)
	if err != nil {
		return nil, err
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	// A chart that has this one as a part may pass values to all of its parts, and leave out one by the condition testrun.enabled.
	root["properties"].(object)["global"] = object{"type": "object"}
	root["properties"].(object)["enabled"] = object{"type": "boolean"}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err = encoder.Encode(root)
	return text.Bytes(), err
}

func mapping(v *value) (object, error) {
	properties := object{}
	for _, child := range v.children {
		property, err := property(child)
		if err != nil {
			return nil, err
		}
		properties[child.name] = property
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}, nil
}

func property(v *value) (property object, err error) {
	switch {
	case len(v.children) > 0:
		property, err = mapping(v)
	case v.flag != nil:
		property = object{"type": flagType(v.flag.kind)}
		if v.flag.kind == "int" {
			property["minimum"] = 0
		}
	case isOpen(v.path):
		property = object{}
		for key, what := range open[v.path] {
			property[key] = what
		}
	default:
		property, err = typed(v)
	}
	if err != nil {
		return nil, err
	}
	for key, what := range closer[v.path] {
		property[key] = what
	}
	if description := v.description(); description != "" {
		property["description"] = description
	} else if len(v.children) == 0 {
		return nil, fmt.Errorf("values.yaml does not say what %s is: put a comment above it", v.path)
	}
	return property, nil
}

// typed is what a default says of its value.
func typed(v *value) (object, error) {
	switch {
	case v.node.Kind == yaml.SequenceNode:
		return object{"type": "array"}, nil
	case v.node.Tag == "!!bool":
		return object{"type": "boolean"}, nil
	case v.node.Tag == "!!int":
		return object{"type": "integer", "minimum": 0}, nil
	case v.node.Tag == "!!str":
		return object{"type": "string"}, nil
	}
	return nil, fmt.Errorf("the default of %s does not say its type: say in hack/chart/schema.go what it may be", v.path)
}

// flagType is that of a flag's value. Null is the program's default. A duration may be the number 0; what else it may be is checked by
// templates/_checks.tpl, which has a better sentence.
func flagType(kind string) []string {
	switch kind {
	case "":
		return []string{"boolean", "null"}
	case "int":
		return []string{"integer", "null"}
	case "duration", "value":
		return []string{"string", "integer", "null"}
	}
	return []string{"string", "null"}
}
