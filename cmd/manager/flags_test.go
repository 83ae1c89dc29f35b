package main

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var flagInTable = regexp.MustCompile("(?m)^\\| `--([a-z-]+)`")

func TestOperatingNamesEachFlagAndNoOther(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := parse(nil); err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, found := range flagInTable.FindAllStringSubmatch(string(page), -1) {
		named[found[1]] = true
		if flag.Lookup(found[1]) == nil {
			t.Errorf("docs/operating.md names --%s, which does not exist", found[1])
		}
	}
	flag.VisitAll(func(f *flag.Flag) {
		others := strings.HasPrefix(f.Name, "test.") || strings.HasPrefix(f.Name, "zap-") || f.Name == "kubeconfig"
		if !others && !named[f.Name] {
			t.Errorf("docs/operating.md does not name --%s", f.Name)
		}
	})
}
