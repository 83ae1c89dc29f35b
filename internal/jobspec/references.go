package jobspec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// UnknownReferences lists the references that Kubernetes cannot resolve, each with its container. Containers with envFrom are left out,
// because the operator does not read ConfigMaps and Secrets.
func UnknownReferences(pod *corev1.PodSpec) []string {
	var unknown []string
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		if len(container.EnvFrom) > 0 {
			continue
		}
		known := map[string]bool{}
		note := func(where, text string) {
			for _, name := range referencesIn(text) {
				if known[name] || isServiceVariable(name) || runsShell(container) && strings.ToUpper(name) != name {
					continue
				}
				if found := fmt.Sprintf("$(%s) in the %s of container %s", name, where, container.Name); !slices.Contains(unknown, found) {
					unknown = append(unknown, found)
				}
			}
		}
		for _, variable := range container.Env {
			note("env", variable.Value)
			known[variable.Name] = true // earlier variables cannot refer to it
		}
		for _, word := range container.Command {
			note("command", word)
		}
		for _, word := range container.Args {
			note("args", word)
		}
	}
	return unknown
}

// referencesIn returns the names in $(NAME). $$ stands for $.
func referencesIn(text string) []string {
	var names []string
	for _, found := range reference.FindAllString(text, -1) {
		if found != "$$" {
			names = append(names, strings.Trim(found, "$()"))
		}
	}
	return names
}

// serviceVariable matches the variables that Kubernetes gives each container for the Services of its namespace.
var serviceVariable = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

func isServiceVariable(name string) bool { return serviceVariable.MatchString(name) }

// runsShell says whether a shell may read the container's command. In a shell $(date) is the output of a command. Names of params and
// variables are mostly in capitals, and names of commands are not.
func runsShell(container corev1.Container) bool {
	for _, word := range slices.Concat(container.Command, container.Args) {
		if strings.HasPrefix(word, "-") && strings.HasSuffix(word, "c") {
			return true
		}
	}
	return false
}
