package build

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestStampChangesWithWhateverChangesTheProgram(t *testing.T) {
	root := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stampOf := func(c Component) string {
		t.Helper()
		s, err := stamp(root, c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write("m/go.mod", "module m")
	write("m/go.sum", "")
	write("m/main.go", "package main")
	c := Component{Name: "m", Module: "m", Package: "."}
	first := stampOf(c)
	if stampOf(c) != first {
		t.Fatal("the stamp of the same thing differs")
	}

	flags := c
	flags.LDFlags = "-X main.version=2"
	if stampOf(flags) == first {
		t.Error("other flags, same stamp")
	}
	for _, name := range []string{"m/go.mod", "m/go.sum", "m/main.go"} {
		before := stampOf(c)
		write(name, "changed")
		if stampOf(c) == before {
			t.Errorf("%s changed, the stamp did not", name)
		}
	}
}

func TestEveryComponentHasAModuleWithTheVersionItClaims(t *testing.T) {
	for _, c := range Components() {
		dir := filepath.Join("..", "..", c.Module)
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for _, field := range strings.Fields(c.LDFlags) {
			_, value, ok := strings.Cut(field, "=")
			if !ok || !strings.Contains(value, ".") {
				continue
			}
			if !strings.Contains(string(mod), " v"+strings.TrimPrefix(value, "v")) {
				t.Errorf("%s is told that it is %s, which its go.mod does not name", c.Name, value)
			}
		}
	}
}

// A plugin that is not compiled in is an unknown word in the Corefile, and CoreDNS does not start.
func TestCoreDNSHasThePluginsOfItsCorefileAndNoOthers(t *testing.T) {
	read := func(path string) string {
		t.Helper()
		content, err := os.ReadFile(filepath.Join("..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	named := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^ {4}(\w+)`).FindAllStringSubmatch(read("internal/cluster/config/Corefile"), -1) {
		named[line[1]] = true
	}
	compiled := map[string]bool{}
	for _, line := range regexp.MustCompile(`coredns/plugin/(\w+)"`).FindAllStringSubmatch(read("components/coredns/main.go"), -1) {
		compiled[line[1]] = true
	}
	if len(named) == 0 || !maps.Equal(named, compiled) {
		t.Errorf("the Corefile names %v, and compiled in are %v", named, compiled)
	}
}

func TestSelect(t *testing.T) {
	all, err := Select(nil)
	always := slices.DeleteFunc(Components(), func(c Component) bool { return c.OnDemand })
	if err != nil || len(all) != len(always) || slices.ContainsFunc(all, func(c Component) bool { return c.OnDemand }) {
		t.Errorf("no names: %d components, %v", len(all), err)
	}
	two, err := Select([]string{"etcd", "kubectl"})
	if err != nil || len(two) != 2 || two[0].Name != "etcd" {
		t.Errorf("two names: %v, %v", two, err)
	}
	if one, err := Select([]string{"kwok"}); err != nil || len(one) != 1 || !one[0].OnDemand {
		t.Errorf("one that is built on demand: %v, %v", one, err)
	}
	if _, err := Select([]string{"nonsense"}); err == nil || !strings.Contains(err.Error(), "kube-apiserver") {
		t.Errorf("an unknown name: %v", err)
	}
}
