package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"testing"
)

var codeLink = regexp.MustCompile("\\[`([A-Za-z]+)`\\]\\(\\.\\./([a-z0-9_/]+\\.go)\\)")

// Whoever follows the map finds the function, in that file, by its name.
func TestTheCodeMapNamesFunctionsThatExist(t *testing.T) {
	found := 0
	for number, line := range prose(read(t, "docs/code-map.md")) {
		for _, match := range codeLink.FindAllStringSubmatch(line, -1) {
			found++
			if symbol, file := match[1], match[2]; !declared(t, file)[symbol] {
				t.Errorf("docs/code-map.md:%d: %s does not declare %s: where is the answer now?", number, file, symbol)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d functions were found on the map", found)
	}
}

// declared are the functions, methods, types, variables and constants of a file; none if it does not exist, or is no Go.
func declared(t *testing.T, path string) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Errorf("docs/code-map.md: %v", err)
		return nil
	}
	symbols := map[string]bool{}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			symbols[decl.Name.Name] = true
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				addNames(symbols, spec)
			}
		}
	}
	return symbols
}

func addNames(symbols map[string]bool, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		symbols[spec.Name.Name] = true
	case *ast.ValueSpec:
		for _, name := range spec.Names {
			symbols[name.Name] = true
		}
	}
}
