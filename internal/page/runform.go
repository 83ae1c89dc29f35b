package page

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/newrun"
	"github.com/testrun-dev/testrun/internal/web"
)

// runForm is what a run of a Test is asked for with.
type runForm struct {
	Test, Does string
	Fields     []paramField
	// Key is the same for all that a form sends, so that a double click creates one run.
	Key string
	// Error is why no run was created, in the cluster's words if it says so.
	Error string
	// Command creates the same run.
	Command string
	// May says that they may create runs. Missing is why there is no form at all.
	May     bool
	Missing string
}

// paramField is a param of a Test, and what a run gives for it.
type paramField struct {
	v1alpha1.ParamSpec
	Value string
	// Error is what is wrong with the value.
	Error string
}

// Field is the name of the form's field. A param has no minus.
func (f paramField) Field() string { return "param-" + f.Name }

// MustBe says whether every run has to give a value.
func (f paramField) MustBe() bool { return f.Required != nil && *f.Required }

// Choice says whether nothing can be chosen, too.
func (f paramField) Choice() bool { return f.Default == nil && !slices.Contains(f.Enum, "") }

// Hint says what the default is, if it is not there to be seen.
func (f paramField) Hint() string {
	switch {
	case f.MustBe():
		return "required"
	case f.Default == nil:
		return "optional"
	case *f.Default == "":
		return "empty by default"
	default:
		return "default: " + *f.Default
	}
}

// isGiven says whether a run gives the value.
func (f paramField) isGiven() bool {
	switch {
	case f.Default != nil:
		return f.Value != *f.Default
	case f.Value == "":
		return slices.Contains(f.Enum, "")
	}
	return true
}

// formOf is the form of a Test of the cluster, with the token of whoever looks. values are what was typed; nil is nothing yet.
func (v *visit) formOf(namespace, name string, values map[string][]string) (runForm, error) {
	form := runForm{Test: name, Key: rand.Text()}
	var test v1alpha1.Test
	err := v.fetchObject(&test, tests, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		form.Missing = "The cluster has no Test of this name now, so there is nothing to run here."
		return form, nil
	case apierrors.IsForbidden(err):
		form.Missing = "You may not see the Test itself, so its form cannot be shown: ask for the right to get tests in this namespace."
		return form, nil
	case err != nil:
		return form, err
	}
	form.Does = test.Spec.Description
	for _, param := range test.Spec.Params {
		field := paramField{ParamSpec: param}
		if param.Default != nil {
			field.Value = *param.Default
		}
		if typed, ok := values[field.Field()]; ok {
			field.Value = typed[0]
		}
		form.Fields = append(form.Fields, field)
	}
	form.Command = form.command(namespace)
	form.May, err = v.may("create", testRuns, namespace)
	return form, err
}

// check says what is wrong with the values, so that no run is created that can only end as an error.
func (f *runForm) check() bool {
	good := true
	for i := range f.Fields {
		field := &f.Fields[i]
		switch {
		case field.MustBe() && field.Value == "" && !slices.Contains(field.Enum, ""):
			field.Error = "This is required."
		case len(field.Enum) > 0 && field.isGiven() && !slices.Contains(field.Enum, field.Value):
			field.Error = "This is none of the values that the Test allows."
		}
		good = good && field.Error == ""
	}
	return good
}

// spec is that of the run.
func (f *runForm) spec() map[string]any {
	spec := map[string]any{"testRef": map[string]any{"name": f.Test}}
	var params []map[string]any
	for _, field := range f.Fields {
		if field.isGiven() {
			params = append(params, map[string]any{"name": field.Name, "value": field.Value})
		}
	}
	if len(params) > 0 {
		spec["params"] = params
	}
	return spec
}

// command is the line that creates the same run.
func (f *runForm) command(namespace string) string {
	var text strings.Builder
	text.WriteString(kubectl(namespace, "create", "--filename=-") + " <<'END'\napiVersion: " + v1alpha1.GroupVersion.String() + "\nkind: TestRun\nmetadata:\n")
	fmt.Fprintf(&text, "  generateName: %s\nspec:\n  testRef: {name: %s}\n", quoted(newrun.BaseOf("", f.Test)), quoted(f.Test))
	for i, field := range f.Fields {
		if i == 0 {
			text.WriteString("  params:\n")
		}
		value := field.Value
		if value == "" && field.MustBe() {
			value = "…"
		}
		fmt.Fprintf(&text, "  - {name: %s, value: %s}\n", quoted(field.Name), quoted(value))
	}
	text.WriteString("END")
	return text.String()
}

// maxKey is how long a key may be.
const maxKey = 255

// runTest creates a run of a Test, as the form says.
func (v *visit) runTest() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return &problem{http.StatusBadRequest, "The form cannot be read", "It is too large or broken. Go back and try again."}
	}
	namespace, name := v.r.PathValue("namespace"), v.r.PathValue("series")
	form, err := v.formOf(namespace, name, v.r.PostForm)
	if err != nil {
		return err
	}
	if key := v.r.PostFormValue("key"); key != "" && len(key) <= maxKey {
		form.Key = key
	}
	switch {
	case form.Missing != "":
		return v.showTest(http.StatusNotFound, namespace, name, form)
	case !form.check():
		form.Error = "No run was created: mend what is marked."
		return v.showTest(http.StatusUnprocessableEntity, namespace, name, form)
	}
	created, err := v.create(namespace, form.Key, web.NewRun{Spec: form.spec()})
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusConflict:
		form.Key = rand.Text()
		form.Error = "This form has already created a run. Click Run again if you want another one: " + refused.Detail
	case errors.As(err, &refused) && refused.Status != http.StatusUnauthorized:
		form.Error = refused.Detail
	case err != nil:
		return err
	default:
		return v.toCreated(created.UID, created.Name, seriesPath(namespace, name), "Run "+created.Name+" was created.")
	}
	return v.showTest(refused.Status, namespace, name, form)
}
