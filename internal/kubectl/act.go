package kubectl

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// action is something that is done with runs that are in the cluster.
type action struct {
	use, short, long, example string
	// one may refuse, or say that nothing is to be done. Else patch is merged into the run.
	one   func(*v1alpha1.TestRun) (nothing bool, err error)
	patch map[string]any
	// said says of a run that it was done, and before that it had been done before.
	said, before string
	suits        func(*v1alpha1.TestRun) bool
}

func (a *app) actionCommand(do action) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use: do.use + " RUN...", Short: do.short, Long: do.long, Example: do.example,
		Args: atLeast(1, "the names of runs"), ValidArgsFunction: a.completeRuns(do.suits),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			var errs several
			for _, name := range names {
				if err := c.act(cmd.Context(), do, name, output); err != nil {
					errs = append(errs, err)
				}
			}
			if len(errs) > 0 {
				return errs
			}
			return nil
		},
	}
	addOutput(command, &output, objectFormats...)
	return command
}

// act does something with a run, and with no other one that has its name by now.
func (c *cluster) act(ctx context.Context, do action, name, output string) error {
	run, err := c.here(ctx, name)
	if err != nil {
		return err
	}
	nothing, err := do.one(run)
	if err != nil {
		return err
	}
	said := do.said
	if nothing {
		said = do.before
	} else {
		patch := map[string]any{"metadata": map[string]any{"uid": run.UID}}
		for key, value := range do.patch {
			if key == "metadata" {
				for k, v := range value.(map[string]any) {
					patch["metadata"].(map[string]any)[k] = v
				}
				continue
			}
			patch[key] = value
		}
		err = c.patch(ctx, run, testRuns, run.Namespace, run.Name, patch)
		switch {
		case apierrors.IsConflict(err):
			return fmt.Errorf("run %s was deleted meanwhile, and another one has its name: look at it, and try again", name)
		case apierrors.IsNotFound(err):
			return fmt.Errorf("run %s was deleted meanwhile: nothing was done", name)
		}
		if err != nil {
			return c.explain(ctx, err, asked{"patch", testRuns, name, run.Namespace})
		}
		setKind(run)
	}
	if output != "" {
		return c.print(output, run)
	}
	fmt.Fprintf(c.Out, "testrun.testrun.dev/%s %s\n", run.Name, said)
	return nil
}

func isLive(run *v1alpha1.TestRun) bool { return !show.IsFinished(run) }

func (a *app) cancelCommand() *cobra.Command {
	return a.actionCommand(action{
		use: "cancel", short: "Cancel runs: their pods are stopped, and their output stays",
		long:    "Cancel runs. A run that waits ends at once; the pod of one that runs is told to stop. The output stays. It cannot be taken back.",
		example: "  kubectl testrun cancel checkout-x7k2p",
		one: func(run *v1alpha1.TestRun) (bool, error) {
			if show.IsFinished(run) {
				return false, fmt.Errorf("run %s has finished (%s): there is nothing to cancel", run.Name, run.Status.Verdict)
			}
			return run.Spec.Cancel != nil && *run.Spec.Cancel, nil
		},
		patch: map[string]any{"spec": map[string]any{"cancel": true}},
		said:  "is being cancelled", before: "is being cancelled already", suits: isLive,
	})
}

func (a *app) pinCommand() *cobra.Command {
	return a.actionCommand(action{
		use: "pin", short: "Keep runs: no retention deletes them",
		long:    "Keep runs: neither a TTL nor the retention of a Test deletes them, and the archive keeps what they said.",
		example: "  kubectl testrun pin checkout-x7k2p",
		one:     func(run *v1alpha1.TestRun) (bool, error) { return v1alpha1.IsPinned(run), nil }, // a pin may say why: that stays
		patch:   map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationPinned: "true"}}},
		said:    "pinned", before: "was pinned already", suits: func(run *v1alpha1.TestRun) bool { return !v1alpha1.IsPinned(run) },
	})
}

func (a *app) unpinCommand() *cobra.Command {
	return a.actionCommand(action{
		use: "unpin", short: "Let retention delete runs again",
		long:    "Take the pin off runs: retention may delete them again.",
		example: "  kubectl testrun unpin checkout-x7k2p",
		one: func(run *v1alpha1.TestRun) (bool, error) {
			_, has := run.Annotations[v1alpha1.AnnotationPinned]
			return !has, nil
		},
		patch: map[string]any{"metadata": map[string]any{"annotations": map[string]any{v1alpha1.AnnotationPinned: nil}}},
		said:  "unpinned", before: "was not pinned", suits: v1alpha1.IsPinned,
	})
}
