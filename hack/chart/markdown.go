package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

const introduction = `# The values of the chart

Written by ` + "`make generate`" + `: do not edit. [Operating](../operating.md#install-with-helm) says how to use them. What is not in this table is
refused.
`

// markdown is docs/reference/chart.md.
func markdown(values *value) string {
	var text strings.Builder
	text.WriteString(introduction)
	for _, section := range values.children {
		if len(section.children) == 0 {
			continue
		}
		fmt.Fprintf(&text, "\n## `%s`\n\n", section.name)
		table(&text, section)
	}
	text.WriteString("\n## Others\n\n")
	others := &value{}
	for _, section := range values.children {
		if len(section.children) == 0 {
			others.children = append(others.children, section)
		}
	}
	table(&text, others)
	return text.String()
}

func table(text *strings.Builder, section *value) {
	text.WriteString("| value | default | what |\n| --- | --- | --- |\n")
	section.each(func(v *value) {
		fmt.Fprintf(text, "| `%s` | %s | %s |\n", v.path, standard(v), strings.ReplaceAll(v.description(), "|", `\|`))
	})
}

// standard is the default of a value, or that of the flag which is left out.
func standard(v *value) string {
	if v.node.Tag == "!!null" {
		if v.flag != nil && v.flag.standard != "" {
			return "the program's: `" + strings.Trim(v.flag.standard, `"`) + "`"
		}
		return ""
	}
	flow := *v.node
	setFlow(&flow)
	encoded, err := yaml.Marshal(&flow)
	if err != nil {
		panic(err) // it was read from YAML
	}
	return "`" + strings.TrimSpace(string(encoded)) + "`"
}

// setFlow has the node written on one line, without its comments.
func setFlow(node *yaml.Node) {
	node.HeadComment, node.LineComment, node.FootComment = "", "", ""
	if node.Kind != yaml.ScalarNode {
		node.Style = yaml.FlowStyle
	}
	children := make([]*yaml.Node, len(node.Content))
	for i, child := range node.Content {
		changed := *child
		setFlow(&changed)
		children[i] = &changed
	}
	node.Content = children
}
