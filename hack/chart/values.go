package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// value is a value of the chart. Those that have children are mappings whose names are fixed.
type value struct {
	path     string // from the root, with dots between
	name     string
	comment  string
	node     *yaml.Node
	children []*value
	flag     *programFlag // the flag that it is, if it is one
}

// readValues reads values.yaml. Its comments become descriptions, so each value has one, unless it is a flag.
func readValues(path string) (*value, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	document := &yaml.Node{}
	if err := yaml.Unmarshal(text, document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	root := &value{node: document.Content[0]}
	root.addChildren()
	return root, nil
}

func (v *value) addChildren() {
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, node := v.node.Content[i], v.node.Content[i+1]
		child := &value{path: strings.TrimPrefix(v.path+"."+key.Value, "."), name: key.Value, comment: plain(key.HeadComment), node: node}
		if node.Kind == yaml.MappingNode && len(node.Content) > 0 && !isOpen(child.path) {
			child.addChildren()
		}
		v.children = append(v.children, child)
	}
}

// plain is a comment without its marks. A comment that an empty line ends is about what follows as a whole, and not part of it.
func plain(comment string) string {
	parts := strings.Split(comment, "\n\n")
	lines := strings.Split(parts[len(parts)-1], "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(strings.TrimPrefix(lines[i], "#"))
	}
	return strings.Join(lines, " ")
}

// child finds the value with that path below this one.
func (v *value) child(path string) *value {
	name, rest, deeper := strings.Cut(path, ".")
	for _, child := range v.children {
		if child.name == name {
			if deeper {
				return child.child(rest)
			}
			return child
		}
	}
	return nil
}

// describeFlags says of each value PROGRAM.flags.NAME which flag it is. Each flag has one, and each is one of a flag.
func (v *value) describeFlags(program string, flags []programFlag) error {
	parent := v.child(program + ".flags")
	if parent == nil {
		return fmt.Errorf("values.yaml has no %s.flags", program)
	}
	for i := range flags {
		value := parent.child(flags[i].camelCase())
		if value == nil {
			return fmt.Errorf("%s has the flag --%s, and values.yaml has no %s.flags.%s: add it, with the default null", program, flags[i].name, program, flags[i].camelCase())
		}
		value.flag = &flags[i]
	}
	for _, value := range parent.children {
		if value.flag == nil {
			return fmt.Errorf("values.yaml has %s, and %s has no such flag: remove it", value.path, program)
		}
	}
	if !slices.IsSortedFunc(parent.children, func(a, b *value) int { return strings.Compare(a.name, b.name) }) {
		return fmt.Errorf("the values %s.flags are not sorted by name", program)
	}
	return nil
}

// description is what the value is for.
func (v *value) description() string {
	if v.flag == nil {
		return v.comment
	}
	return strings.TrimSpace(v.flag.usage + " " + v.comment)
}

// each calls act for each value that has no children.
func (v *value) each(act func(*value)) {
	if len(v.children) == 0 {
		act(v)
	}
	for _, child := range v.children {
		child.each(act)
	}
}

// needed are the paths of the values that a template must not find missing: mappings, and what is on or off.
func needed(values *value) (paths []string) {
	for _, child := range values.children {
		if len(child.children) > 0 {
			paths = append(append(paths, child.path), needed(child)...)
		} else if child.node.Tag == "!!bool" && child.flag == nil {
			paths = append(paths, child.path)
		}
	}
	return paths
}
