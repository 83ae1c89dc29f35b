package jobspec

import (
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner"
)

var archive = Archive{URL: "https://archive:9443", Pins: []string{"5f0c"}}

// archived is the Job that asked for, of an operator with that archive.
func archived(asked Request, archive Archive) *batchv1.Job {
	return newJob(asked, asked.Definition(), Runner{Image: "runner", Mount: ImageVolume, Archive: archive}, FirstAttempt)
}

func TestWithoutAnArchiveOrItsKeyOrARunnerNothingOfTheJobChanges(t *testing.T) {
	plain := func(*v1alpha1.TestRun) {}
	for name, c := range map[string]struct {
		change  func(*v1alpha1.TestRun)
		archive Archive
	}{
		"no key":    {plain, Archive{URL: archive.URL}},
		"no URL":    {plain, Archive{Pins: archive.Pins}},
		"no runner": {func(run *v1alpha1.TestRun) { run.Spec.TestSpec.Results.Format = v1alpha1.ResultsNone }, archive},
		"no command": {func(run *v1alpha1.TestRun) {
			run.Spec.TestSpec.Template.Spec.Containers[0].Command = nil
		}, archive},
	} {
		t.Run(name, func(t *testing.T) {
			asked := asking(c.change)
			if got, want := archived(asked, c.archive), archived(asked, Archive{}); !equality.Semantic.DeepEqual(got, want) {
				t.Errorf("it is %+v, want %+v", got, want)
			}
		})
	}
}

func TestOnlyTheTestsContainerHasTheToken(t *testing.T) {
	asked := asking(func(run *v1alpha1.TestRun) {
		pod := &run.Spec.TestSpec.Template.Spec
		pod.InitContainers = []corev1.Container{{Name: "fetch"}}
		pod.Containers = append(pod.Containers, corev1.Container{Name: "database"})
	})
	for _, mount := range []RunnerMount{ImageVolume, InitContainer} {
		pod := newJob(asked, asked.Definition(), Runner{Image: "runner", Mount: mount, Archive: archive}, FirstAttempt).Spec.Template.Spec
		for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
			found := slices.IndexFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name == archiveVolume })
			if (found >= 0) != (container.Name == pod.Containers[0].Name) {
				t.Errorf("%s: container %s has the token: %t", mount, container.Name, found >= 0)
			}
			if found >= 0 && (!container.VolumeMounts[found].ReadOnly || container.VolumeMounts[found].MountPath != push.TokenDir) {
				t.Errorf("%s: it is mounted as %+v", mount, container.VolumeMounts[found])
			}
		}
		if mounts := ptr.Deref(pod.AutomountServiceAccountToken, true); mounts {
			t.Errorf("%s: the pod has the ServiceAccount's own token", mount)
		}
	}
}

// The server asks the argument, which nobody can change. Hooks and probes ask the variables.
func TestTheRunnerKnowsTheIdentityWhereTheContainerHasItToo(t *testing.T) {
	asked := asking(func(run *v1alpha1.TestRun) {
		run.Spec.TestSpec.Template.Spec.Containers[0].Args = []string{"$(TESTRUN_ARTIFACTS)/$(TESTRUN_UID)"}
	})
	test := archived(asked, archive).Spec.Template.Spec.Containers[0]
	options, err := runner.Parse(test.Command[1:])
	identity := identityOf(asked.Run, FirstAttempt)
	if err != nil || options.Identity != identity || options.Archive != archive.URL || !slices.Equal(options.ArchivePins, archive.Pins) {
		t.Errorf("the runner is told %+v, %v", options, err)
	}
	for _, want := range []corev1.EnvVar{
		{Name: runner.EnvUID, Value: identity.UID}, {Name: runner.EnvResults, Value: identity.ResultsDir()}, {Name: runner.EnvArtifacts, Value: identity.ArtifactsDir()},
	} {
		if !slices.Contains(test.Env, want) {
			t.Errorf("the container has no %s=%s", want.Name, want.Value)
		}
	}
	if unknown := UnknownReferences(&corev1.PodSpec{Containers: []corev1.Container{test}}); len(unknown) > 0 {
		t.Errorf("%q stand for nothing", unknown)
	}
}

func TestTheURLIsNoReference(t *testing.T) {
	test := archived(asking(), Archive{URL: "https://$(HOST)", Pins: archive.Pins}).Spec.Template.Spec.Containers[0]
	if !slices.Contains(test.Command, "--archive=https://$$(HOST)") {
		t.Errorf("the runner is told %q", test.Command)
	}
}

func TestAnArchiveIsNotPartOfWhatAFurtherAttemptIsMadeFrom(t *testing.T) {
	asked := asking(func(run *v1alpha1.TestRun) { run.Spec.Retry.Failure = ptr.To[int32](1) })
	if got, want := archived(asked, archive).Annotations, archived(asked, Archive{}).Annotations; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("the Job's annotations are %q, want %q", got, want)
	}
}
