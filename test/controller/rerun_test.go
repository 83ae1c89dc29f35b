package controller

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

func TestARerunAsksForWhatTheRunAskedFor(t *testing.T) {
	w := withController(t)
	w.Create(builders.Test("suite", builders.TestSpec("./first", v1alpha1.ParamSpec{Name: "TARGET"})))
	w.Create(builders.TestRun("red").Of("suite").Param("TARGET", "staging").RunTimeout(7 * time.Minute).Once().Build())
	w.Exit(w.Execute("red"), corev1.ContainerStateTerminated{ExitCode: 1})
	w.WaitForFinished("red", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed)

	w.Create(builders.TestRun("again").RerunOf("red").Build())
	w.Create(builders.TestRun("and-again").RerunOf("again").Build())
	for _, name := range []string{"again", "and-again"} {
		pod := w.Execute(name)
		container := pod.Spec.Containers[0]
		if limit := pod.Spec.ActiveDeadlineSeconds; *limit != 7*60 || pod.Labels[v1alpha1.LabelTest] != "suite" {
			t.Errorf("%s has %d s for Test %q", name, *limit, pod.Labels[v1alpha1.LabelTest])
		}
		if want := (corev1.EnvVar{Name: "TARGET", Value: "staging"}); !hasEnv(container, want) {
			t.Errorf("%s is told %v, want %v among it", name, container.Env, want)
		}
		if identity := w.IdentityOf(pod); identity.Name != name {
			t.Errorf("%s is told that it is %v", name, identity)
		}
		w.Exit(pod, corev1.ContainerStateTerminated{ExitCode: 0})
		w.WaitForFinished(name, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed)
	}
	if run := w.WaitForFinished("again", v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed); run.Status.Test != "suite" {
		t.Errorf("it executed Test %q, want suite, by whose retention it is kept", run.Status.Test)
	}
	if run := w.WaitForFinished("red", v1alpha1.VerdictFailed, v1alpha1.ReasonTestFailed); len(run.Status.Attempts) != 1 {
		t.Errorf("the run that is repeated has attempts %+v, want one: a finished run is never reopened", run.Status.Attempts)
	}
	list := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, list, client.InNamespace(w.Namespace), client.MatchingFields{"spec.rerunOf.name": "red"}))
	if len(list.Items) != 1 || list.Items[0].Name != "again" {
		t.Errorf("the reruns of red are %d runs, want again", len(list.Items))
	}
}

func hasEnv(container corev1.Container, want corev1.EnvVar) bool {
	for _, variable := range container.Env {
		if variable == want {
			return true
		}
	}
	return false
}

func TestARerunOfWhatDoesNotExistIsAnError(t *testing.T) {
	w := withController(t)
	w.Create(builders.TestRun("again").RerunOf("gone").Build())
	w.Create(builders.TestRun("circle").RerunOf("circle").Build())
	for _, name := range []string{"again", "circle"} {
		w.WaitForFinished(name, v1alpha1.VerdictError, v1alpha1.ReasonRunNotFound)
	}
}
