package jobtable

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/jobtable/rows"
)

// variable is a column in a template, or a $ that stands for itself.
var variable = regexp.MustCompile(`[$]([$]|[(][^()$]{1,63}[)])`)

// columnsOf are the columns that the run of a row is made from, each once.
func columnsOf(run *v1alpha1.JobTableRun) []string {
	var columns []string
	seen := map[string]bool{}
	add := func(column string) {
		if !seen[column] {
			seen[column] = true
			columns = append(columns, column)
		}
	}
	for _, template := range []string{run.TestRef.Name, run.Queue} {
		for _, found := range variable.FindAllString(template, -1) {
			if found != "$$" {
				add(found[2 : len(found)-1])
			}
		}
	}
	for _, param := range run.Params {
		add(param.Column)
	}
	return columns
}

// render makes the run of a row. The error is about the row alone.
func render(table *v1alpha1.JobTable, ref reference, row rows.Row) (*v1alpha1.TestRun, error) {
	want := table.Spec.Run
	test, err := expand("the name of the Test", want.TestRef.Name, row.Values)
	if err != nil {
		return nil, err
	}
	queue, err := expand("the name of the TestQueue", want.Queue, row.Values)
	if err != nil {
		return nil, err
	}
	run := &v1alpha1.TestRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: table.Namespace, Name: ref.name(),
			Labels: map[string]string{v1alpha1.LabelJobTable: table.Name, v1alpha1.LabelOpenRow: "true"},
			Annotations: map[string]string{
				v1alpha1.AnnotationRow: ref.text(), v1alpha1.AnnotationPinned: v1alpha1.PinnedByJobTable,
			},
		},
		Spec: v1alpha1.TestRunSpec{
			TestRef: &v1alpha1.TestReference{Name: test}, Queue: queue, Priority: want.Priority, TTLAfterFinished: want.TTLAfterFinished,
		},
	}
	for _, param := range want.Params {
		value := row.Values[param.Column]
		if value == nil {
			continue
		}
		if err := checkValue(param.Column, *value); err != nil {
			return nil, err
		}
		run.Spec.Params = append(run.Spec.Params, v1alpha1.Param{Name: param.Name, Value: ptr.To(*value)})
	}
	return run, nil
}

func checkValue(column, value string) error {
	switch {
	case utf8.RuneCountInString(value) > rows.MaxValue:
		return fmt.Errorf("the column %s holds more than %d characters, and a param no more than that", column, rows.MaxValue)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fmt.Errorf("the column %s holds bytes that are no text", column)
	}
	return nil
}

// expand puts the row's values into a template, which is the name of an object.
func expand(what, template string, values map[string]*string) (string, error) {
	if template == "" {
		return "", nil
	}
	var missing error
	name := variable.ReplaceAllStringFunc(template, func(found string) string {
		if found == "$$" {
			return "$"
		}
		column := found[2 : len(found)-1]
		if values[column] == nil {
			missing = fmt.Errorf("%s is %s, and the column %s of the row is NULL", what, template, column)
			return ""
		}
		return *values[column]
	})
	if missing != nil {
		return "", missing
	}
	if len(name) > 63 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", fmt.Errorf("%s would be %q, and no object can have that: use up to 63 lower case letters, digits, dashes and dots", what, rows.Bounded(name, 100))
	}
	return name, nil
}
