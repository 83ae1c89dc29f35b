package testrun

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

// maxReferences is how many references an event names.
const maxReferences = 5

// warnOfReferences tells the author of a run of each $(NAME) in its Job that stands for nothing. Kubernetes passes it on as it is.
func (r *Reconciler) warnOfReferences(run *v1alpha1.TestRun, job *batchv1.Job) {
	unknown := unknownReferences(&job.Spec.Template.Spec)
	if len(unknown) == 0 {
		return
	}
	if more := len(unknown) - maxReferences; more > 0 {
		unknown = append(unknown[:maxReferences], fmt.Sprintf("and %d more", more))
	}
	r.Recorder.Eventf(run, nil, corev1.EventTypeWarning, v1alpha1.EventUnknownReference, "CreateJob",
		"%s: nothing has that name, so it is passed on as it is. Define a param or a variable of that name before it is used, or write $$(…) for the text itself",
		strings.Join(unknown, ", "))
}

// unknownReferences lists the references that Kubernetes cannot resolve, each with the container where it is. A container with envFrom
// is left out: what its ConfigMaps and Secrets hold is not ours to read.
func unknownReferences(pod *corev1.PodSpec) []string {
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
