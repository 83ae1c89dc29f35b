package jobspec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// UnknownReferences lists the references that Kubernetes cannot resolve, each with the container where it is. A container with envFrom
// is left out: what its ConfigMaps and Secrets hold is not ours to read.
func UnknownReferences(pod *corev1.PodSpec) []string {
	var unknown []string
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		if len(container.EnvFrom) > 0 {
			continue
		}
		known := map[string]bool{}
		note := func(where, text string) {
			for _, name := range referencesIn(text) {
				if known[name] || isOfService(name) || runsShell(container) && strings.ToUpper(name) != name {
					continue
				}
				if found := fmt.Sprintf("$(%s) in the %s of container %s", name, where, container.Name); !slices.Contains(unknown, found) {
					unknown = append(unknown, found)
				}
			}
		}
		for _, variable := range container.Env {
			note("env", variable.Value)
			known[variable.Name] = true // known to what follows, and to no variable before
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

// ofService are the variables that Kubernetes gives each container for the Services of its namespace.
var ofService = regexp.MustCompile(`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

func isOfService(name string) bool { return ofService.MatchString(name) }

// runsShell says whether a shell may read the words of the container's command: there $(date) is the output of a command. The names of
// params and variables are mostly in capitals, those of commands are not.
func runsShell(container corev1.Container) bool {
	for _, word := range slices.Concat(container.Command, container.Args) {
		if strings.HasPrefix(word, "-") && strings.HasSuffix(word, "c") {
			return true
		}
	}
	return false
}
