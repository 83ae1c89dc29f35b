package kubectl

import (
	"strings"

	"github.com/spf13/cobra"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const (
	// longestRun is how long the name of a TestRun may be, and nameEnd how much of that makes it its own.
	longestRun = 58
	nameEnd    = 8
	// seriesLabel is a person's label, though it has the prefix of ours.
	seriesLabel = "testrun.dev/series"
)

func (a *app) rerunCommand() *cobra.Command {
	next := &then{}
	command := &cobra.Command{
		Use:     "rerun RUN",
		Short:   "Repeat a run: the same test, params, timeouts and retries",
		Long:    "Repeat a run: create one that asks for what that one asked for. Its Test is taken as it is now.",
		Example: "  kubectl testrun rerun checkout-x7k2p --follow",
		Args:    exactly(1, "the name of a run"), ValidArgsFunction: first(a.completeRuns(nil)),
		PreRunE: next.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.cluster()
			if err != nil {
				return err
			}
			found, err := c.here(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			made, err := c.create(cmd.Context(), again(found), false)
			if err != nil {
				return c.explain(err, asked{"create", testRuns, "", c.namespace})
			}
			return c.created(cmd.Context(), made, *next)
		},
	}
	next.addFlags(command)
	return command
}

// again is a run that repeats another one, where that one ran.
func again(found *v1alpha1.TestRun) *v1alpha1.TestRun {
	run := &v1alpha1.TestRun{Spec: v1alpha1.TestRunSpec{
		RerunOf: &v1alpha1.RunReference{Name: found.Name},
		Queue:   found.Spec.Queue, Priority: found.Spec.Priority, Concurrency: found.Spec.Concurrency,
	}}
	run.Namespace, run.GenerateName, run.Labels = found.Namespace, baseOf(found.GenerateName, found.Name), ownLabels(found.Labels)
	return run
}

// ownLabels are the labels that people have given to a run: those that programs have set say what is not so of another run.
func ownLabels(labels map[string]string) map[string]string {
	own := map[string]string{}
	for key, value := range labels {
		prefix, _, has := strings.Cut(key, "/")
		if !has || key == seriesLabel || prefix != v1alpha1.GroupVersion.Group && !strings.HasSuffix(prefix, "k8s.io") {
			own[key] = value
		}
	}
	return own
}

// baseOf is what the name of a run begins with that is called after another object.
func baseOf(generateName, name string) string {
	if generateName == "" {
		generateName = name + "-"
	}
	if most := longestRun - nameEnd; len(generateName) > most {
		generateName = strings.TrimRight(generateName[:most-1], "-.") + "-"
	}
	return generateName
}
