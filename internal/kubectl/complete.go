package kubectl

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// completeTimeout is how long a shell waits for names. After that it completes nothing.
const completeTimeout = 3 * time.Second

const noFiles = cobra.ShellCompDirectiveNoFileComp

type completion = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective)

// first offers something for the first argument alone.
func first(offer completion) completion {
	return func(cmd *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		return offer(cmd, args, begin)
	}
}

// complete offers what find finds. What goes wrong offers nothing: a shell has no place for it.
func (a *app) complete(cmd *cobra.Command, begin string, find func(context.Context, *cluster) ([]cobra.Completion, error)) []cobra.Completion {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	c, err := a.cluster()
	if err != nil {
		return nil
	}
	found, err := find(ctx, c)
	if err != nil {
		return nil
	}
	found = slices.DeleteFunc(found, func(text string) bool { return !strings.HasPrefix(text, begin) })
	return found
}

// completeRuns offers the names of runs, the newest first, with how they are.
func (a *app) completeRuns(suits func(*v1alpha1.TestRun) bool) completion {
	return func(cmd *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.complete(cmd, begin, func(ctx context.Context, c *cluster) ([]cobra.Completion, error) {
			runs, err := c.runs(ctx, selection{namespace: c.namespace})
			var names []cobra.Completion
			for _, run := range runs {
				if (suits == nil || suits(run.TestRun)) && !slices.Contains(args, run.Name) {
					names = append(names, cobra.CompletionWithDesc(run.Name, show.State(run.TestRun)+" "+show.TestOf(run.TestRun)))
				}
			}
			return names, err
		}), noFiles | cobra.ShellCompDirectiveKeepOrder
	}
}

func (a *app) completeNames(resource string, namespaced bool) completion {
	return func(cmd *cobra.Command, _ []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.complete(cmd, begin, func(ctx context.Context, c *cluster) ([]cobra.Completion, error) {
			namespace := ""
			if namespaced {
				namespace = c.namespace
			}
			return c.names(ctx, resource, namespace)
		}), noFiles
	}
}

// completeTests offers the names of Tests.
func (a *app) completeTests(cmd *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeNames(tests, true)(cmd, args, begin)
}

// completeStates offers states, after others with commas between them.
func completeStates(_ *cobra.Command, _ []string, begin string) (offered []cobra.Completion, directive cobra.ShellCompDirective) {
	before := begin[:strings.LastIndex(begin, ",")+1]
	for _, state := range show.States {
		if strings.HasPrefix(before+state, begin) && !slices.Contains(strings.Split(before, ","), state) {
			offered = append(offered, before+state)
		}
	}
	return offered, noFiles | cobra.ShellCompDirectiveKeepOrder
}

// completeQueues offers the names of TestQueues.
func (a *app) completeQueues(cmd *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeNames(testQueues, false)(cmd, args, begin)
}

// completeParams offers the params of the Test that is named, and the values of one.
func (a *app) completeParams(cmd *cobra.Command, args []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, err := namesOf(tests, args)
	if err != nil || len(names) == 0 {
		return nil, noFiles
	}
	directive := noFiles
	found := a.complete(cmd, begin, func(ctx context.Context, c *cluster) ([]cobra.Completion, error) {
		test := &v1alpha1.Test{}
		if err := c.get(ctx, test, tests, c.namespace, names[0]); err != nil {
			return nil, err
		}
		offered := paramsToComplete(test.Spec.Params, begin)
		if !strings.Contains(begin, "=") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return offered, nil
	})
	return found, directive
}

// paramsToComplete are NAME= for each param, or NAME=VALUE for each value of the one that is named.
func paramsToComplete(params []v1alpha1.ParamSpec, begin string) (offered []cobra.Completion) {
	name, _, hasName := strings.Cut(begin, "=")
	for _, spec := range params {
		switch {
		case !hasName:
			offered = append(offered, cobra.CompletionWithDesc(spec.Name+"=", show.Line(spec.Description)))
		case spec.Name == name:
			for _, value := range spec.Enum {
				offered = append(offered, name+"="+value)
			}
		}
	}
	return offered
}

// completeFlags completes the flags that every command has.
func (a *app) completeFlags(root *cobra.Command) {
	namespaces := func(cmd *cobra.Command, _ []string, begin string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.complete(cmd, begin, func(ctx context.Context, c *cluster) (names []cobra.Completion, err error) {
			list, err := c.core.Namespaces().List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, err
			}
			for i := range list.Items {
				names = append(names, list.Items[i].Name)
			}
			return names, nil
		}), noFiles
	}
	contexts := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		raw, err := a.config.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, noFiles
		}
		return slices.Sorted(maps.Keys(raw.Contexts)), noFiles
	}
	for flag, complete := range map[string]completion{"namespace": namespaces, "testrun-namespace": namespaces, "context": contexts} {
		_ = root.RegisterFlagCompletionFunc(flag, complete) // the flags exist
	}
	files := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	}
	for _, flag := range []string{"archive-ca", "kubeconfig", "client-certificate", "client-key", "certificate-authority", "cache-dir"} {
		_ = root.RegisterFlagCompletionFunc(flag, files)
	}
}
