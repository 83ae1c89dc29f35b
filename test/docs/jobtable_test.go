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

// Whoever sees a reason on a JobTable, or in the data of a row, finds it on its page.
func TestEveryReasonOfAJobTableIsDocumented(t *testing.T) {
	page := read(t, "docs/job-table.md")
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api/v1alpha1/jobtable_conditions.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(node ast.Node) bool {
		literal, ok := node.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		word, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if !strings.Contains(word, " ") && !strings.Contains(page, word) {
			t.Errorf("docs/job-table.md does not speak of %s", word)
		}
		return true
	})
	if found < 20 {
		t.Errorf("only %d words were found", found)
	}
}
