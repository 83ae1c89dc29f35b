package kubectl

import (
	"fmt"
	"slices"
	"strings"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// paramsOf reads params as they are given: NAME=VALUE.
func paramsOf(given []string) (params []v1alpha1.Param, err error) {
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usage("-p %s: write NAME=VALUE, such as -p BROWSER=firefox", text)
		}
		if slices.ContainsFunc(params, func(p v1alpha1.Param) bool { return p.Name == name }) {
			return nil, usage("-p %s: %s is given twice", text, name)
		}
		params = append(params, v1alpha1.Param{Name: name, Value: &value})
	}
	return params, nil
}

// checkParams says which param does not fit the Test, before a run is created that would end as an error.
func checkParams(test *v1alpha1.Test, params []v1alpha1.Param) error {
	var names []string
	for _, spec := range test.Spec.Params {
		names = append(names, spec.Name)
	}
	given := map[string]bool{}
	for _, param := range params {
		given[param.Name] = true
		i := slices.IndexFunc(test.Spec.Params, func(spec v1alpha1.ParamSpec) bool { return spec.Name == param.Name })
		if i < 0 {
			return usage("%s", sentences(fmt.Sprintf("Test %s has no param %s", test.Name, param.Name), didYouMean(param.Name, names), "It has: "+listed(names)))
		}
		spec := test.Spec.Params[i]
		if len(spec.Enum) > 0 && !slices.Contains(spec.Enum, *param.Value) {
			return usage("%s", sentences(fmt.Sprintf("param %s of Test %s cannot be %q", spec.Name, test.Name, *param.Value),
				didYouMean(*param.Value, spec.Enum), "It is one of: "+strings.Join(spec.Enum, ", ")))
		}
	}
	var missing []string
	for _, spec := range test.Spec.Params {
		if spec.Required != nil && *spec.Required && !given[spec.Name] {
			missing = append(missing, fmt.Sprintf("-p %s=%s", spec.Name, placeholder(spec)))
		}
	}
	if len(missing) > 0 {
		return usage("Test %s needs a value for what has no default: add %s", test.Name, strings.Join(missing, " "))
	}
	return nil
}

// placeholder stands for a value that is to be given.
func placeholder(spec v1alpha1.ParamSpec) string {
	if len(spec.Enum) > 0 {
		return strings.Join(spec.Enum, "|")
	}
	return "VALUE"
}
