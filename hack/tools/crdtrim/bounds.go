package main

import "slices"

// What a pod template may hold. Kubernetes bounds none of it: a template of 200 KB could render to gigabytes. docs/running-tests.md
// has the numbers that people may meet.
const (
	// fewItems bounds the lists and maps that no other number is given for.
	fewItems = 64
	// shortText bounds, in characters, the strings that no other number is given for: names, paths, addresses.
	shortText = 4096
	// longText is the longest argument or variable that Linux hands to a program.
	longText = 128 * 1024
)

// manyItems are the lists and maps of which a real pod may have more, by the name of their field.
var manyItems = map[string]int{
	"annotations":  128,
	"args":         512,
	"command":      256,
	"env":          512,
	"tolerations":  128,
	"values":       256,
	"volumeMounts": 128,
	"volumes":      128,
}

// longTexts are the fields that hold text of the author's.
var longTexts = []string{"annotations", "args", "command", "value"}

// notOurs are the fields that a template or a volume claim template cannot have: Kubernetes, or the operator, sets them.
var notOurs = map[string][]string{
	"metadata": {"finalizers", "name", "namespace"},
	"spec":     {"ephemeralContainers"},
}

// bound bounds every list, map and string below a pod template, and takes out what has no place in one.
func bound(schema map[string]any) {
	if isPodTemplate(schema) {
		boundTemplate("template", schema)
		return
	}
	for _, sub := range subschemas(schema) {
		bound(sub)
	}
}

func boundTemplate(field string, schema map[string]any) {
	properties := child(schema, "properties")
	for _, name := range notOurs[field] {
		delete(properties, name)
	}
	for name, property := range properties {
		boundTemplate(name, property.(map[string]any))
	}
	most := fewItems
	if many, ok := manyItems[field]; ok {
		most = many
	}
	switch items, entries := child(schema, "items"), child(schema, "additionalProperties"); {
	case items != nil:
		limit(schema, "maxItems", most)
		boundTemplate(field, items)
	case entries != nil:
		limit(schema, "maxProperties", most)
		boundTemplate(field, entries)
	case schema["type"] == "string" && slices.Contains(longTexts, field):
		limit(schema, "maxLength", longText)
	case schema["type"] == "string":
		limit(schema, "maxLength", shortText)
	}
}

// limit sets a limit, unless there is one: Kubernetes' own is never higher.
func limit(schema map[string]any, keyword string, most int) {
	if _, limited := schema[keyword]; !limited {
		schema[keyword] = most
	}
}
