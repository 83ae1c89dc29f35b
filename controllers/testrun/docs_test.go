package testrun

import (
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The guide's table of rules is the list, in its order.
func TestTheGuideHasTheRulesInTheirOrder(t *testing.T) {
	var listed []string
	for _, rule := range rules {
		name := runtime.FuncForPC(reflect.ValueOf(rule).Pointer()).Name()
		listed = append(listed, name[strings.LastIndexByte(name, '.')+1:])
	}
	if documented := firstColumn(t, "life-of-a-run.md", "## How it is decided"); !slices.Equal(documented, listed) {
		t.Errorf("the guide has the rules\n%s\nand the list is\n%s", documented, listed)
	}
}

// The guide's table of budgets is the map.
func TestTheGuideHasTheBudgetOfEachReason(t *testing.T) {
	documented := map[string]budget{}
	for _, line := range section(t, "retries.md", "| an attempt ended with the reason") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.Contains(cells[2], "`") {
			continue
		}
		for _, reason := range regexp.MustCompile("`([A-Z][A-Za-z]+)`").FindAllStringSubmatch(cells[1], -1) {
			documented[reason[1]] = budget(strings.Trim(cells[2], " `"))
		}
	}
	if !reflect.DeepEqual(documented, budgets) {
		t.Errorf("the guide says %v, and the code %v", documented, budgets)
	}
}

// firstColumn reads the names in the first column of the table below a heading.
func firstColumn(t *testing.T, guide, heading string) []string {
	t.Helper()
	var names []string
	for _, line := range section(t, guide, heading) {
		if name := regexp.MustCompile("^\\| `([A-Za-z]+)` \\|").FindStringSubmatch(line); name != nil {
			names = append(names, name[1])
		}
	}
	return names
}

// section returns the lines of a guide from the one that begins so to the next heading.
func section(t *testing.T, guide, beginning string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + guide)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n"+beginning)
	if !found {
		t.Fatalf("docs/%s has no line that begins with %q", guide, beginning)
	}
	before, _, _ := strings.Cut(after, "\n## ")
	return strings.Split(before, "\n")
}
