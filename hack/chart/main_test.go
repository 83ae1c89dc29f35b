package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

func TestWhatIsGeneratedIsUpToDate(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		committed, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || !bytes.Equal(committed, text) {
			t.Errorf("%s is not what make generate writes (%v)", name, err)
		}
	}
}

// The schema lets a duration be any text, and leaves the rest to a sentence of the chart's own.
func TestTheChartChecksEachFlagThatIsADuration(t *testing.T) {
	checks, err := os.ReadFile(filepath.Join(root, chartDir, "templates", "_checks.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		flags, err := flagsOf(root, program)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, flag := range flags {
			if flag.kind == "duration" {
				want = append(want, `"`+flag.camelCase()+`"`)
			}
		}
		if len(want) == 0 {
			continue
		}
		match := regexp.MustCompile(`"` + program + `" \(list ([^)]*)\)`).FindSubmatch(checks)
		if match == nil {
			t.Fatalf("_checks.tpl does not list the durations of %s", program)
		}
		got := strings.Fields(string(match[1]))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("_checks.tpl checks of %s %v, want %v", program, got, want)
		}
	}
}

func TestTheHelpOfAProgramIsRead(t *testing.T) {
	flags := parseHelp("manager", "usage: it [flags]\n  -a\tIs short.\n  -keep-rows duration\n    \tHow long. (default 24h0m0s)\n  -kubeconfig string\n    \tNot in a pod.\n"+
		"  -zap-level value\n    \tOne line\n    \tand another.\n")
	want := []programFlag{
		{name: "a", usage: "Is short."},
		{name: "keep-rows", kind: "duration", usage: "How long.", standard: "24h0m0s"},
		{name: "zap-level", kind: "value", usage: "One line and another."},
	}
	if !slices.Equal(flags, want) {
		t.Errorf("it is read as %+v, want %+v", flags, want)
	}
	if name := want[1].camelCase(); name != "keepRows" {
		t.Errorf("the value of --keep-rows is called %s", name)
	}
}

func TestAFlagWithoutAValueIsRefused(t *testing.T) {
	values, err := readValues(filepath.Join(root, chartDir, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	err = values.describeFlags("manager", []programFlag{{name: "new-flag", kind: "int"}})
	if err == nil || !strings.Contains(err.Error(), "values.yaml has no manager.flags.newFlag") {
		t.Errorf("it says %v", err)
	}
	err = values.describeFlags("manager", []programFlag{{name: "concurrency", kind: "int"}})
	if err == nil || !strings.Contains(err.Error(), "has no such flag: remove it") {
		t.Errorf("it says %v", err)
	}
}
