package kubectl

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// kinds are what may stand before the name of a resource, as in testrun/first.
var kinds = map[string][]string{
	testRuns:   {"testrun", testRuns, "trun"},
	tests:      {"test", tests},
	testQueues: {"testqueue", testQueues, "tq"},
}

// namesOf are the names as they were typed: kubectl takes them with and without the kind before them, and -o name prints it.
func namesOf(resource string, typed []string) (names []string, err error) {
	for _, text := range typed {
		kind, name, has := strings.Cut(text, "/")
		if !has {
			kind, name = resource, text
		}
		kind, group, _ := strings.Cut(strings.ToLower(kind), ".")
		ours := group == "" || group == v1alpha1.GroupVersion.Group || group == v1alpha1.GroupVersion.Version+"."+v1alpha1.GroupVersion.Group
		if !ours || !slices.Contains(kinds[resource], kind) || name == "" || strings.Contains(name, "/") {
			return nil, usage("%q names no %s: write NAME, or %s/NAME", text, kindOf(resource), kinds[resource][0])
		}
		names = append(names, name)
	}
	return names, nil
}

// kindOf is the kind of a resource.
func kindOf(resource string) string {
	return map[string]string{testRuns: "TestRun", tests: "Test", testQueues: "TestQueue"}[resource]
}

// with reads the names that were typed, and makes the clients.
func (a *app) with(resource string, typed []string) (*cluster, []string, error) {
	names, err := namesOf(resource, typed)
	if err != nil {
		return nil, nil, err
	}
	c, err := a.cluster()
	return c, names, err
}

// withRun makes the clients, and finds the run that was named: in the cluster, or else in the archive.
func (a *app) withRun(ctx context.Context, typed string) (*cluster, show.Run, error) {
	c, names, err := a.with(testRuns, []string{typed})
	if err != nil {
		return nil, show.Run{}, err
	}
	run, err := c.run(ctx, names[0])
	return c, run, err
}

// named is how a run is named in a command that is typed next, which asks the same cluster and namespace.
func (c *cluster) named(name string) string {
	if c.given {
		name += " -n " + c.namespace
	}
	for _, flag := range []struct {
		name  string
		value *string
	}{{"context", c.config.Context}, {"kubeconfig", c.config.KubeConfig}} {
		if flag.value != nil && *flag.value != "" {
			name += fmt.Sprintf(" --%s=%s", flag.name, inShell(*flag.value))
		}
	}
	return name
}

// plain is what a shell takes as it is.
var plain = regexp.MustCompile(`^[-\w@%+=:,./]+$`)

// inShell is a word as a POSIX shell takes it.
func inShell(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
