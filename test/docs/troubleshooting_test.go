package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const troubleshooting = "docs/troubleshooting.md"

var name = regexp.MustCompile("`([A-Z][A-Za-z]+)`")

// Whoever looks up a reason there must not find one that no run has.
func TestTroubleshootingNamesReasonsThatExist(t *testing.T) {
	known := append(slices.Clone(v1alpha1.Reasons), "Passed", "Failed", "Error", "TimedOut", "Cancelled")
	found := 0
	for number, line := range prose(read(t, troubleshooting)) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		for _, match := range name.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			found++
			if !slices.Contains(known, match[1]) {
				t.Errorf("%s:%d names %s, which is neither a reason nor a verdict", troubleshooting, number, match[1])
			}
		}
	}
	if found == 0 {
		t.Error("no reasons found")
	}
}

// A run that is Pending with a reason of the API finds it in one of the five steps.
func TestTroubleshootingHasEachReasonToBePending(t *testing.T) {
	_, steps, _ := strings.Cut(read(t, troubleshooting), "\n## My run is Pending\n")
	steps, _, _ = strings.Cut(steps, "\n## ")
	for _, reason := range reasonsToBePending(t) {
		if !strings.Contains(steps, "| `"+reason+"`") {
			t.Errorf("%s does not say what to do when a run is Pending with the reason %s", troubleshooting, reason)
		}
	}
}

// reasonsToBePending reads the two groups of constants whose comments say that a run is Pending with one of them.
func reasonsToBePending(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api/v1alpha1/conditions.go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, decl := range file.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || !strings.HasPrefix(group.Doc.Text(), "Reasons of a run that") || !strings.Contains(group.Doc.Text(), "is Pending") {
			continue
		}
		for _, spec := range group.Specs {
			value := spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value
			reason, err := strconv.Unquote(value)
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, reason)
		}
	}
	if len(reasons) < 20 {
		t.Fatalf("only %d reasons to be Pending were found in conditions.go", len(reasons))
	}
	return reasons
}
