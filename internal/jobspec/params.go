package jobspec

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// paramValues returns the value of each param as an environment variable, in the order of the definition. The error tells the author of the
// run which param does not fit.
func paramValues(spec *v1alpha1.TestSpec, given []v1alpha1.Param) ([]corev1.EnvVar, error) {
	values := make(map[string]*string, len(given))
	for _, param := range given {
		values[param.Name] = param.Value
	}
	var env []corev1.EnvVar
	for _, param := range spec.Params {
		value, isGiven := values[param.Name]
		delete(values, param.Name)
		switch {
		case !isGiven && ptr.Deref(param.Required, false):
			return nil, fmt.Errorf("param %s is required and has no value", param.Name)
		case !isGiven && param.Default == nil:
			continue
		case !isGiven:
			value = param.Default
		case len(param.Enum) > 0 && !slices.Contains(param.Enum, ptr.Deref(value, "")):
			return nil, fmt.Errorf("param %s is %q; it must be one of: %s", param.Name, ptr.Deref(value, ""), strings.Join(param.Enum, ", "))
		}
		env = append(env, corev1.EnvVar{Name: param.Name, Value: ptr.Deref(value, "")})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		return nil, fmt.Errorf("the Test defines no param %s; it defines: %s", name, paramNames(spec.Params))
	}
	return env, nil
}

func paramNames(params []v1alpha1.ParamSpec) string {
	if len(params) == 0 {
		return "none"
	}
	names := make([]string, 0, len(params))
	for _, param := range params {
		names = append(names, param.Name)
	}
	return strings.Join(names, ", ")
}

// concurrencyKey is the key with the values of its params. The error tells the author which name the Test does not define.
func concurrencyKey(def Definition) (string, error) {
	key := def.Concurrency.Key
	for _, found := range reference.FindAllString(key, -1) {
		defines := func(param v1alpha1.ParamSpec) bool { return found == "$("+param.Name+")" }
		if found != "$$" && !slices.ContainsFunc(def.Spec.Params, defines) {
			return "", fmt.Errorf("concurrency.key holds %s, which the Test does not define; it defines: %s. Write $$ for a $",
				found, paramNames(def.Spec.Params))
		}
	}
	return expand(key, def.Params), nil
}

var reference = regexp.MustCompile(`\$\$|\$\([A-Za-z_][A-Za-z0-9_]*\)`)

// expand replaces references in a key as Kubernetes does in a command: $(NAME) by the value of the param, and $$ by $. A reference to a
// param without a value stays as it is.
func expand(key string, params []corev1.EnvVar) string {
	return reference.ReplaceAllStringFunc(key, func(found string) string {
		if found == "$$" {
			return "$"
		}
		for _, param := range params {
			if found == "$("+param.Name+")" {
				return param.Value
			}
		}
		return found
	})
}
