package main

// A rule of CEL, as a schema has it.
type rule = map[string]any

// Kubernetes takes m, a thousandth, in an amount of bytes, and a limit of a few bytes: somebody forgot the unit, or took m for mega.
// What comes of it is told by a container runtime, in words about its own insides.
var (
	noFraction = rule{
		"rule":    `['memory', 'ephemeral-storage'].all(r, !(r in self) || !string(self[r]).endsWith('m'))`,
		"message": "m stands for thousandths of a byte here: write Mi for mebibytes, such as 64Mi",
	}
	notTiny = rule{
		"rule": `!('memory' in self) || string(self['memory']).endsWith('m') || !isQuantity(string(self['memory'])) || quantity(string(self['memory'])).compareTo(quantity('0')) == 0 || ` +
			`quantity(string(self['memory'])).compareTo(quantity('1Mi')) >= 0`,
		"message": "nothing runs in less than 1Mi of memory; a number without a unit is bytes: write Mi for mebibytes, such as 64Mi",
	}
)

// explainMemory refuses amounts of memory that nobody means, wherever a pod template limits or requests resources.
func explainMemory(schema map[string]any) {
	properties := child(schema, "properties")
	for field, rules := range map[string][]any{"limits": {noFraction, notTiny}, "requests": {noFraction}} {
		resources := child(properties, field)
		if child(resources, "additionalProperties")["pattern"] == quantity {
			resources["x-kubernetes-validations"] = rules
		}
	}
	for _, sub := range subschemas(schema) {
		explainMemory(sub)
	}
}

// speakOfTimes takes the format from a time that has rules and a length of its own: the format is checked first, and says what is
// wrong without an example.
func speakOfTimes(schema map[string]any) {
	if schema["format"] == "date-time" && schema["maxLength"] != nil && schema["x-kubernetes-validations"] != nil {
		delete(schema, "format")
	}
	for _, sub := range subschemas(schema) {
		speakOfTimes(sub)
	}
}
