package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Whoever sees a condition or a reason on an object, or in the data of a row, finds it on its page.
func TestEveryReasonIsDocumented(t *testing.T) {
	for file, name := range map[string]string{
		"conditions.go":          "docs/life-of-a-run.md",
		"jobtable_conditions.go": "docs/job-table.md",
	} {
		t.Run(file, func(t *testing.T) {
			page := read(t, name)
			source, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", file), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			found := 0
			ast.Inspect(source, func(node ast.Node) bool {
				literal, ok := node.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				word, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				if isName := !strings.Contains(word, " "); isName && !strings.Contains(page, "`"+word+"`") {
					t.Errorf("%s does not speak of %s", name, word)
				}
				found++
				return true
			})
			if found < 20 {
				t.Errorf("only %d words were found", found)
			}
		})
	}
}
