package lifecycle

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/admission"
	"github.com/testrun-dev/testrun/internal/jobspec"
)

// The guide's table of rules is the list, in its order.
func TestTheGuideHasTheRulesInTheirOrder(t *testing.T) {
	var listed []string
	for _, rule := range rules {
		function := runtime.FuncForPC(reflect.ValueOf(rule.decide).Pointer()).Name()
		if !strings.HasSuffix(function, "."+rule.name) {
			t.Errorf("rule %s is function %s", rule.name, function)
		}
		listed = append(listed, rule.name)
	}
	if documented := firstColumn(t, "life-of-a-run.md", "## How it is decided"); !slices.Equal(documented, listed) {
		t.Errorf("the guide has the rules\n%s\nand the list is\n%s", documented, listed)
	}
}

// The guide's table of budgets is the map.
func TestTheGuideHasTheBudgetOfEachReason(t *testing.T) {
	documented := map[string]jobspec.Budget{}
	for _, line := range section(t, "retries.md", "| an attempt ended with the reason") {
		cells := strings.Split(line, "|")
		if len(cells) < 3 || !strings.Contains(cells[2], "`") {
			continue
		}
		for _, reason := range regexp.MustCompile("`([A-Z][A-Za-z]+)`").FindAllStringSubmatch(cells[1], -1) {
			documented[reason[1]] = jobspec.Budget(strings.Trim(cells[2], " `"))
		}
	}
	if !reflect.DeepEqual(documented, budgets) {
		t.Errorf("the guide says %v, and the code %v", documented, budgets)
	}
}

// The guide lists as ends exactly the reasons with which the code ends a run.
func TestTheGuideHasEachReasonThatEndsARun(t *testing.T) {
	documented := map[string]bool{}
	for _, beginning := range []string{"While Pending, and for the `Error`", "When Finished:"} {
		for _, reason := range reasonsInTable(t, "life-of-a-run.md", beginning) {
			documented[reason] = true
		}
	}
	given := finalReasons(t)
	for reason := range given {
		if !documented[reason] {
			t.Errorf("the code ends a run as %s, and docs/life-of-a-run.md does not list that as an end", reason)
		}
	}
	for reason := range documented {
		if !given[reason] {
			t.Errorf("docs/life-of-a-run.md lists %s as an end, and no code gives it", reason)
		}
	}
}

// Each reason of the API is in its guide.
func TestTheGuidesHaveEachReason(t *testing.T) {
	for file, name := range map[string]string{ofRuns: "life-of-a-run.md", "jobtable_conditions.go": "job-table.md"} {
		guide, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for constant, reason := range reasonConstants(t, file) {
			if !strings.Contains(string(guide), "`"+reason+"`") {
				t.Errorf("%s is not in docs/%s", constant, name)
			}
		}
	}
}

// The API's list of reasons has each of its constants.
func TestTheListOfReasonsIsWhole(t *testing.T) {
	constants := slices.Sorted(maps.Values(reasonConstants(t, ofRuns)))
	if listed := slices.Sorted(slices.Values(v1alpha1.Reasons)); !slices.Equal(listed, constants) {
		t.Errorf("v1alpha1.Reasons has\n%s\nand the constants are\n%s", listed, constants)
	}
}

// reasonsByFunction lists the possible reasons of each function that ends a run with a reason which is not a constant.
var reasonsByFunction = map[string][]string{
	"couldNotStart":    append([]string{v1alpha1.ReasonStartTimeout}, startFailures...),
	"imageNameInvalid": {v1alpha1.ReasonImagePullFailed, v1alpha1.ReasonRunnerImagePullFailed},
	"verdictOfReport":  slices.Collect(maps.Values(reasonsOfDefects)),
	"endsAs":           endingReasons(),
	"stateOfRefusal":   nil, // those of refusals, which are found too
	"lastOf":           nil, // and these two pass one on
	"stopRequest":      nil,
}

func endingReasons() []string {
	reasons := []string{admission.Pending{}.NeverAppeared(0).Reason, admission.QueueTimeout(0, "").Reason}
	for _, cause := range []admission.Cause{
		admission.QueueFull, admission.NamespaceFull, admission.Refused, admission.Duplicate, admission.Replaced,
	} {
		reasons = append(reasons, admission.Turn{Cause: cause}.Ending().Reason)
	}
	return reasons
}

// finalReasons reads from the code which reasons end a run.
func finalReasons(t *testing.T) map[string]bool {
	t.Helper()
	constants, found := reasonConstants(t, ofRuns), map[string]bool{}
	for _, file := range slices.Concat(parsed(t, "*.go"), parsed(t, "../jobspec/*.go"), parsed(t, "../../controllers/testrun/*.go")) {
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(node ast.Node) bool {
				argument := reasonArgument(node)
				if argument == nil {
					return true
				}
				if constant, ok := argument.(*ast.SelectorExpr); ok && constants[constant.Sel.Name] != "" {
					found[constants[constant.Sel.Name]] = true
					return true
				}
				known, ok := reasonsByFunction[function.Name.Name]
				if !ok {
					t.Errorf("%s ends a run with a reason that is no constant: say in reasonsByFunction which they are", function.Name.Name)
				}
				for _, reason := range known {
					found[reason] = true
				}
				return true
			})
		}
	}
	return found
}

// reasonArgument is the reason in a call of Finished, or in a final Refusal; nil for any other node.
func reasonArgument(node ast.Node) ast.Expr {
	switch node := node.(type) {
	case *ast.CallExpr:
		if nameOf(node.Fun) == "Finished" {
			return node.Args[1]
		}
	case *ast.CompositeLit:
		if nameOf(node.Type) != "Refusal" {
			return nil
		}
		fields := map[string]ast.Expr{}
		for i, element := range node.Elts {
			if field, ok := element.(*ast.KeyValueExpr); ok {
				fields[nameOf(field.Key)] = field.Value
			} else {
				fields[[]string{"Reason", "Final", "Err"}[i]] = element
			}
		}
		if nameOf(fields["Final"]) == "true" {
			return fields["Reason"]
		}
	}
	return nil
}

// nameOf is the name of what an expression names, without its package.
func nameOf(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		return expr.Sel.Name
	default:
		return ""
	}
}

// ofRuns is the file of the API that has the reasons of runs.
const ofRuns = "conditions.go"

// reasonConstants are the API's reasons, by the name of their constant.
func reasonConstants(t *testing.T, name string) map[string]string {
	t.Helper()
	constants := map[string]string{}
	for _, file := range parsed(t, "../../api/v1alpha1/"+name) {
		ast.Inspect(file, func(node ast.Node) bool {
			spec, ok := node.(*ast.ValueSpec)
			if ok && strings.HasPrefix(spec.Names[0].Name, "Reason") && len(spec.Values) == 1 {
				if value, ok := spec.Values[0].(*ast.BasicLit); ok {
					constants[spec.Names[0].Name] = strings.Trim(value.Value, `"`)
				}
			}
			return true
		})
	}
	if len(constants) == 0 {
		t.Fatalf("no reason was found in api/v1alpha1/%s", name)
	}
	return constants
}

// parsed are the files that a pattern matches, without tests.
func parsed(t *testing.T, pattern string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// reasonsInTable reads the names in the first column of the table below the line that begins so.
func reasonsInTable(t *testing.T, guide, beginning string) []string {
	t.Helper()
	var names []string
	for _, line := range section(t, guide, beginning) {
		switch cells := strings.Split(line, "|"); {
		case len(cells) > 2:
			for _, name := range regexp.MustCompile("`([A-Z][A-Za-z]+)`").FindAllStringSubmatch(cells[1], -1) {
				names = append(names, name[1])
			}
		case len(names) > 0:
			return names
		}
	}
	return names
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
