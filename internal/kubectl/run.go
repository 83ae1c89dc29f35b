package kubectl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
	"github.com/testrun-dev/testrun/internal/newrun"
)

// then is what happens when a run was created.
type then struct {
	wait, follow bool
	timeout      time.Duration
	output       string
}

func (t *then) addFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVarP(&t.wait, "wait", "w", false, "Wait until the run has finished; the exit code is the verdict")
	flags.BoolVarP(&t.follow, "follow", "f", false, "Print what the test prints, and wait; the exit code is the verdict")
	flags.DurationVar(&t.timeout, "timeout", 0, "With --wait or --follow: how long to wait at most, such as 30m")
	addOutput(command, &t.output, objectFormats...)
}

// check refuses what cannot be done together.
func (t *then) check(cmd *cobra.Command, _ []string) error {
	switch {
	case t.wait && t.follow:
		return usage("--follow waits too: leave out --wait. %s --help shows the flags", cmd.CommandPath())
	case t.timeout != 0 && !t.wait && !t.follow:
		return usage("--timeout says how long to wait: add --wait or --follow, or leave it out")
	case t.follow && t.output != "":
		return usage("--follow prints the output of the test: leave out -o, or take --wait")
	}
	return checkTimeout(t.timeout)
}

// created is what to do with a run that was created. Who waits and wants the object, gets it as it is at the end.
func (c *cluster) created(ctx context.Context, run *v1alpha1.TestRun, t then) error {
	setKind(run)
	switch {
	case t.output == "name", t.output != "" && !t.wait:
		if err := c.print(t.output, run); err != nil {
			return err
		}
	case !t.wait && !t.follow:
		fmt.Fprintf(c.Out, "%s\n", "testrun.testrun.dev/"+run.Name+" created")
		c.note("kubectl testrun wait %s waits for its verdict; logs and why say more.", c.named(run.Name))
	default:
		c.note("testrun.testrun.dev/%s created", run.Name)
	}
	if !t.wait && !t.follow {
		return nil
	}
	err := c.toItsEnd(ctx, run, t)
	if ctx.Err() != nil {
		c.note("\nNobody waits any more, and the run goes on. kubectl testrun wait %s waits again, and kubectl testrun cancel %[1]s ends it.", c.named(run.Name))
		return &exit{ExitInterrupted, nil}
	}
	return err
}

func (c *cluster) toItsEnd(ctx context.Context, run *v1alpha1.TestRun, t then) error {
	if !t.follow {
		out := c.Out
		if t.output != "" {
			out = c.ErrOut
		}
		runs, err := c.waitFor(ctx, selection{namespace: run.Namespace, names: []string{run.Name}}, t.timeout, out)
		if err == nil && t.output != "" && t.output != "name" {
			err = c.print(t.output, runs[0].TestRun)
		}
		if err != nil {
			return err
		}
		return verdictOf(runs)
	}
	within := ctx
	if t.timeout > 0 {
		var cancel context.CancelFunc
		within, cancel = context.WithTimeout(ctx, t.timeout)
		defer cancel()
	}
	err := c.followLogs(within, run)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = &exit{ExitStillRuns, fmt.Errorf("run %s did not finish within %s. kubectl testrun why %s says what it waits for", run.Name, t.timeout, c.named(run.Name))}
	}
	return err
}

// followLogs prints what the test prints until the run has finished, and says how it ended.
func (c *cluster) followLogs(ctx context.Context, run *v1alpha1.TestRun) error {
	l := &logs{cluster: c, follow: true}
	last, err := l.print(ctx, show.Run{TestRun: run})
	if err != nil {
		return err
	}
	c.tell(c.ErrOut, last)
	return verdictOf([]show.Run{last})
}

func (a *app) runCommand() *cobra.Command {
	var params, labels []string
	var name, queue string
	var priority int32
	var dryRun string
	next := &then{}
	command := &cobra.Command{
		Use:   "run TEST [-p NAME=VALUE]...",
		Short: "Run a Test",
		Long: `Run a Test: create a TestRun that refers to it. Params are compared with the Test before.

With --wait or --follow the exit code is the verdict: 0 passed, 1 failed, 2 error, 3 timed out, 4 cancelled. Ctrl-C ends the
waiting, and not the run.`,
		Example: "  kubectl testrun run checkout -p BROWSER=firefox --follow\n  kubectl testrun run nightly --queue=slow --wait --timeout=2h",
		Args:    exactly(1, "the name of a Test"), ValidArgsFunction: first(a.completeTests),
		PreRunE: next.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			run := &v1alpha1.TestRun{}
			run.Name, run.Spec.Queue = name, queue
			names, err := namesOf(tests, args)
			if err != nil {
				return err
			}
			run.Spec.TestRef = &v1alpha1.TestReference{Name: names[0]}
			if cmd.Flags().Changed("priority") {
				run.Spec.Priority = &priority
			}
			if run.Spec.Params, err = paramsOf(params); err != nil {
				return err
			}
			if run.Labels, err = labelsOf(labels); err != nil {
				return err
			}
			dry, err := isDry(dryRun, *next)
			if err != nil {
				return err
			}
			return a.start(cmd.Context(), run, dry, *next)
		},
	}
	flags := command.Flags()
	flags.StringArrayVarP(&params, "param", "p", nil, "Value of a param, as NAME=VALUE; may be given several times")
	flags.StringArrayVar(&labels, "label", nil, "Label of the run, as KEY=VALUE; may be given several times")
	flags.StringVar(&name, "name", "", "Name of the run; one that begins with the Test's if left out")
	flags.StringVar(&queue, "queue", "", "TestQueue in which the run waits; the Test's if left out")
	flags.Int32Var(&priority, "priority", 0, "The run with the higher priority starts first; the Test's if left out")
	flags.StringVar(&dryRun, "dry-run", "none", "Have the cluster check the run, and create nothing; with -o yaml print it. none or server")
	flags.Lookup("dry-run").NoOptDefVal = "server"
	next.addFlags(command)
	_ = command.RegisterFlagCompletionFunc("param", a.completeParams) // the flags exist
	_ = command.RegisterFlagCompletionFunc("queue", a.completeQueues)
	return command
}

// isDry reads the flag --dry-run, which is kubectl's.
func isDry(dryRun string, next then) (bool, error) {
	switch {
	case dryRun == "none":
		return false, nil
	case dryRun != "server":
		return false, usage("--dry-run is %q: write --dry-run=server, which has the cluster check the run, or leave it out", dryRun)
	case next.wait || next.follow:
		return false, usage("--dry-run creates nothing that could be waited for: leave out --wait and --follow")
	}
	return true, nil
}

func labelsOf(given []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, text := range given {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usage("--label %s: write KEY=VALUE, such as --label commit=4f2a9c1", text)
		}
		labels[key] = value
	}
	return labels, nil
}

// start creates a run of a Test.
func (a *app) start(ctx context.Context, run *v1alpha1.TestRun, dryRun bool, next then) error {
	c, err := a.cluster()
	if err != nil {
		return err
	}
	run.Namespace = c.namespace
	if run.Name == "" {
		run.GenerateName = newrun.BaseOf("", run.Spec.TestRef.Name)
	}
	if err := c.checkTest(ctx, run); err != nil {
		return err
	}
	made, err := c.create(ctx, run, dryRun)
	if err != nil {
		return c.explain(ctx, err, asked{"create", testRuns, run.Name, run.Namespace})
	}
	if dryRun {
		setKind(made)
		if next.output != "" {
			return c.print(next.output, made)
		}
		fmt.Fprintln(c.Out, "The cluster would take this run; nothing was created.")
		return nil
	}
	return c.created(ctx, made, next)
}

// checkTest compares the run with its Test. Whoever may not read Tests may run them: the operator compares then.
func (c *cluster) checkTest(ctx context.Context, run *v1alpha1.TestRun) error {
	test := &v1alpha1.Test{}
	name := run.Spec.TestRef.Name
	err := c.get(ctx, test, tests, run.Namespace, name)
	switch {
	case apierrors.IsForbidden(err):
		return nil
	case apierrors.IsNotFound(err) && !isUnknownResource(err):
		return c.noSuchTest(ctx, name)
	case err != nil:
		return c.explain(ctx, err, asked{"get", tests, name, run.Namespace})
	}
	if err := checkParams(test, run.Spec.Params); err != nil {
		return err
	}
	return c.checkQueue(ctx, run, test)
}

// checkQueue says that a queue does not exist, if that can be known: the run would wait for it in vain.
func (c *cluster) checkQueue(ctx context.Context, run *v1alpha1.TestRun, test *v1alpha1.Test) error {
	name := run.Spec.Queue
	if name == "" {
		name = test.Spec.Queue
	}
	if name == "" || name == v1alpha1.DefaultQueue {
		return nil
	}
	if err := c.get(ctx, &v1alpha1.TestQueue{}, testQueues, "", name); !apierrors.IsNotFound(err) || isUnknownResource(err) {
		return nil // whoever may not see queues may use them
	}
	names, err := c.names(ctx, testQueues, "")
	if err != nil {
		return usage("there is no TestQueue %q", name)
	}
	return usage("%s", sentences(fmt.Sprintf("there is no TestQueue %q", name), didYouMean(name, names), "There are: "+listed(names)))
}

func (c *cluster) noSuchTest(ctx context.Context, name string) error {
	names, err := c.names(ctx, tests, c.namespace)
	if err != nil {
		names = nil
	}
	there := ""
	switch elsewhere := c.elsewhere(ctx, tests, name); {
	case elsewhere != "":
		there = "There is one in namespace " + elsewhere + ": add -n " + elsewhere
	case len(names) > 0:
		there = "There are: " + listed(names)
	case err == nil:
		there = "There is none at all in this namespace: name another one with -n, or create the Test with kubectl apply"
	}
	return errors.New(sentences(fmt.Sprintf("there is no Test %q in namespace %s", name, c.namespace), didYouMean(name, names), there))
}
