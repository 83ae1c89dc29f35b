// Command crdtrim makes generated CustomResourceDefinitions small enough for plain `kubectl apply`, and as strict as the
// Go types that they were generated from.
//
// It rewrites each file in place: descriptions below a pod template go, all others stay. Quantities and ports are
// narrowed to what Go can decode, what a pod template may hold is bounded and gets no defaults, and rules about what cannot
// change are evaluated once. Then it fails when a CRD is still too big for the annotation in which kubectl apply keeps a copy of
// the whole object.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// sizeLimit is the API server's limit for all annotations of one object together.
const sizeLimit = 256 * 1024

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: crdtrim CRD.yaml...")
		os.Exit(2)
	}

	var failed error
	for _, path := range os.Args[1:] {
		size, err := trimFile(path)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", path, err))
			continue
		}
		fmt.Printf("%s: %s\n", filepath.Base(path), size)
	}
	if failed != nil {
		fmt.Fprintln(os.Stderr, "crdtrim:", failed)
		os.Exit(1)
	}
}

// sizes of one CRD, in bytes.
type sizes struct {
	yaml       int // the file
	annotation int // the compact JSON that kubectl apply keeps
}

func (s sizes) String() string {
	const kib = 1024
	return fmt.Sprintf("%d KiB of YAML, %d KiB in kubectl's annotation (limit %d KiB)",
		s.yaml/kib, s.annotation/kib, sizeLimit/kib)
}

func (s sizes) check() error {
	if s.annotation > sizeLimit {
		return fmt.Errorf("too big for kubectl apply: %s", s)
	}
	return nil
}

func trimFile(path string) (sizes, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return sizes{}, err
	}
	trimmed, size, err := trim(source)
	if err != nil {
		return sizes{}, err
	}
	if err := size.check(); err != nil {
		return sizes{}, err
	}
	if bytes.Equal(source, trimmed) {
		return size, nil
	}
	return size, os.WriteFile(path, trimmed, 0o644)
}

// trim returns the CRD without the descriptions below its pod templates, and tightened. Its keys come out sorted, as
// controller-gen writes them, so the same input always gives the same bytes.
func trim(source []byte) ([]byte, sizes, error) {
	var crd map[string]any
	if err := yaml.Unmarshal(source, &crd); err != nil {
		return nil, sizes{}, err
	}
	if crd["kind"] != "CustomResourceDefinition" {
		return nil, sizes{}, fmt.Errorf("not a CustomResourceDefinition but %v", crd["kind"])
	}

	for _, schema := range schemas(crd) {
		describeLess(schema)
		tighten(schema)
		bound(schema)
		setNoDefaults(schema)
		explainMemory(schema)
		speakOfTimes(schema)
		checkOnce(schema)
	}

	body, err := yaml.Marshal(crd)
	if err != nil {
		return nil, sizes{}, err
	}
	compact, err := json.Marshal(crd)
	if err != nil {
		return nil, sizes{}, err
	}
	out := append([]byte("---\n"), body...)
	return out, sizes{yaml: len(out), annotation: len(compact)}, nil
}

// schemas returns the root schema of each version of the CRD.
func schemas(crd map[string]any) []map[string]any {
	var found []map[string]any
	versions, _ := child(crd, "spec")["versions"].([]any)
	for _, version := range versions {
		v, _ := version.(map[string]any)
		if schema := child(child(v, "schema"), "openAPIV3Schema"); schema != nil {
			found = append(found, schema)
		}
	}
	return found
}

// describeLess walks down to each pod template and strips what is below it. The template's own description
// stays: it is ours.
func describeLess(schema map[string]any) {
	strip := isPodTemplate(schema)
	for _, sub := range subschemas(schema) {
		if strip {
			stripDescriptions(sub)
		} else {
			describeLess(sub)
		}
	}
}

// isPodTemplate tells a pod template by its shape, so that one is found wherever a type embeds it.
func isPodTemplate(schema map[string]any) bool {
	podSpec := child(child(schema, "properties"), "spec")
	return child(child(podSpec, "properties"), "containers") != nil
}

func stripDescriptions(schema map[string]any) {
	delete(schema, "description")
	for _, sub := range subschemas(schema) {
		stripDescriptions(sub)
	}
}

// The generated pattern of a resource.Quantity takes any number as the exponent, which Go's parser does not: 1e1.5.
const (
	generatedQuantity = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`
	quantity          = `^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?[0-9]{1,2}))?$`
	// quantityLength leaves room for any quantity that means something, and none for a megabyte of digits.
	quantityLength = 64
)

// tighten narrows the fields of the types resource.Quantity and intstr.IntOrString to what these types can hold. It has
// to: one stored object that Go cannot decode breaks the list of all, and so the operator for everybody.
func tighten(schema map[string]any) {
	if schema["x-kubernetes-int-or-string"] == true {
		switch schema["pattern"] {
		case generatedQuantity:
			schema["pattern"] = quantity
			schema["maxLength"] = quantityLength
		case nil:
			schema["minimum"] = math.MinInt32
			schema["maximum"] = math.MaxInt32
		}
	}
	for _, sub := range subschemas(schema) {
		tighten(sub)
	}
}

// subschemas returns the schemas directly below one. It knows the places where JSON schema has them, because
// a property may itself be named "description".
func subschemas(schema map[string]any) []map[string]any {
	var found []map[string]any
	add := func(value any) {
		if sub, ok := value.(map[string]any); ok {
			found = append(found, sub)
		}
	}
	for _, property := range child(schema, "properties") {
		add(property)
	}
	for _, key := range []string{"items", "additionalProperties", "not"} {
		add(schema[key])
	}
	for _, key := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := schema[key].([]any)
		for _, sub := range list {
			add(sub)
		}
	}
	return found
}

func child(m map[string]any, key string) map[string]any {
	c, _ := m[key].(map[string]any)
	return c
}
