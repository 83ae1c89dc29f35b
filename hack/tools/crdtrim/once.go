package main

import "strings"

// checkOnce has the rules about the definition of a TestRun evaluated at its creation only. It cannot be changed later, and a write of the
// status would evaluate them all: they took a sixth of such a write. A Test has the same rules, and may change.
func checkOnce(schema map[string]any) {
	definition := child(child(child(child(schema, "properties"), "spec"), "properties"), "testSpec")
	rules, _ := definition["x-kubernetes-validations"].([]any)
	for _, each := range rules {
		rule, ok := each.(map[string]any)
		text, _ := rule["rule"].(string)
		if !ok || strings.Contains(text, "oldSelf") {
			continue
		}
		rule["rule"] = "oldSelf.hasValue() || (" + text + ")"
		rule["optionalOldSelf"] = true
	}
}
