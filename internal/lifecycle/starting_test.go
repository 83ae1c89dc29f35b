package lifecycle

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
)

const runnerImage = "registry.example/runner:1"

func scheduledBy(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.SchedulerName = name }
}

func initWaits(name, reason, message string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		waits("PodInitializing", "")(pod)
		pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{
			Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		}}
	}
}

// besideTest puts the status of a helper before that of the test's container.
func besideTest(reason, message string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Status.ContainerStatuses = append([]corev1.ContainerStatus{{
			Name: "helper", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
		}}, pod.Status.ContainerStatuses...)
	}
}

func (s *scene) withoutNode() *scene {
	s.NodeMissing = true
	return s
}

func (s *scene) withRunnerImage() *scene {
	s.Runner.Image = runnerImage
	return s
}

func TestASlowStartSaysWhatKubernetesSays(t *testing.T) {
	const (
		noTemplate = `PodResourceClaim gpu: failed to create ResourceClaim: resource claim template "gpu" not found`
		mustSay    = `Error creating: pods "smoke-1-" is forbidden: failed quota: compute: must specify limits.cpu for: test`
		noScope    = `Error creating: pods "smoke-1-" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]`
		exceeded   = `Error creating: pods "smoke-1-" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1`
		noRunner   = `Back-off pulling image "registry.example/runner:1": not found`
		noTest     = `Back-off pulling image "registry.example/test:1": not found`
	)
	for name, test := range map[string]struct {
		seen          *scene
		reason, words string
	}{
		"a claim's template is missing": {
			aRun().withPod().withWarning("FailedResourceClaimCreation", noTemplate), v1alpha1.ReasonUnschedulable, noTemplate,
		},
		"a claim's template is missing, and the scheduler waits for the claim": {
			aRun().withPod(unschedulable).withWarning("FailedResourceClaimCreation", noTemplate), v1alpha1.ReasonUnschedulable,
			noTemplate + ". 0/3 nodes are available",
		},
		"the scheduler's event says what its condition says": {
			aRun().withPod(unschedulable).withWarning("FailedScheduling", "0/3 nodes"), v1alpha1.ReasonUnschedulable, "0/3 nodes are available",
		},
		"a scheduler that does not exist": {
			aRun().withPod(scheduledBy("volcano")), v1alpha1.ReasonScheduling, `No scheduler named "volcano" has looked at the pod (schedulerName)`,
		},
		"a scheduler of another name speaks": {
			aRun().withPod(scheduledBy("volcano")).withWarning("Unschedulable", "no PodGroup"), v1alpha1.ReasonUnschedulable, "no PodGroup",
		},
		"Kubernetes' own scheduler is busy": {
			aRun().withPod(scheduledBy(corev1.DefaultSchedulerName)), v1alpha1.ReasonScheduling, "The pod waits for a node",
		},
		"a node that does not exist": {
			aRun().withPod(onANode).withoutNode(), v1alpha1.ReasonUnschedulable, "Node node-1 does not exist",
		},
		"a node that has trouble of its own": {
			aRun().withPod(onANode).withWarning("NetworkNotReady", "network is not ready: cni plugin not initialized"), v1alpha1.ReasonPreparing,
			"network is not ready: cni plugin not initialized",
		},
		"a node that was found after all": {
			aRun().withPod(onANode).withWarning("FailedScheduling", "0/3 nodes"), v1alpha1.ReasonPreparing, "Node node-1 is setting up volumes and network",
		},
		"a pull secret that is missing": {
			aRun().withPod(waits("ContainerCreating", "")).withWarning("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (nope)"),
			v1alpha1.ReasonPullingImage, "Node node-1 is getting the image and starting the container. Unable to retrieve some image pull secrets (nope)",
		},
		"somebody who suspended the Job":             {held(aRun().withJob()), v1alpha1.ReasonCreatingPod, "Job smoke-1 has no pod, because somebody suspended it"},
		"a quota that is full":                       {aRun().withJob().withWarning("FailedCreate", exceeded), v1alpha1.ReasonQuotaExceeded, exceeded},
		"a quota that has no room in these scopes":   {aRun().withJob().withWarning("FailedCreate", noScope), v1alpha1.ReasonQuotaExceeded, noScope},
		"a quota that demands limits is not full":    {aRun().withJob().withWarning("FailedCreate", mustSay), v1alpha1.ReasonPodRefused, mustSay},
		"the runner's image as a volume":             {aRun().withRunnerImage().withPod(waits("ImagePullBackOff", noRunner)), v1alpha1.ReasonRunnerImagePullFailed, "Container test: " + noRunner},
		"the runner's image in an init container":    {aRun().withRunnerImage().withPod(initWaits("testrun-runner", "ErrImagePull", noRunner)), v1alpha1.ReasonRunnerImagePullFailed, "Container testrun-runner: " + noRunner},
		"the test's image":                           {aRun().withRunnerImage().withPod(waits("ImagePullBackOff", noTest)), v1alpha1.ReasonImagePullFailed, "Container test: " + noTest},
		"the test's trouble comes before a helper's": {aRun().withPod(waits("CreateContainerConfigError", "no Secret"), besideTest("ErrImagePull", "no image")), v1alpha1.ReasonContainerConfigError, "Container test: no Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(30*time.Second))
			if plan.State == nil || plan.State.Phase != v1alpha1.PhasePending || plan.State.Reason != test.reason || plan.State.Message != test.words {
				t.Errorf("it says %+v, want %s: %s", plan.State, test.reason, test.words)
			}
		})
	}
}

func TestAWarningOfAnEarlierStepIsNotQuoted(t *testing.T) {
	seen := aRun().withPod(onANode).withWarning("FailedResourceClaimCreation", "no template")
	seen.Warnings[0].At = t0.Add(-time.Minute)

	if step := startingStep(seen.look()); step.message != "Node node-1 is setting up volumes and network" {
		t.Errorf("it says %q", step.message)
	}
}

func TestANameThatNoImageCanHaveEndsTheRunAtOnce(t *testing.T) {
	const badName = `Failed to apply default image tag "Perl:5 slim": couldn't parse image name`
	for name, test := range map[string]struct {
		seen       *scene
		does, says string
	}{
		"of the test":              {aRun().withPod(waits(reasonInvalidImageName, badName)), "stop", "Finished Error ImagePullFailed"},
		"of an init container":     {aRun().withPod(initWaits("fetch", reasonInvalidImageName, badName)), "stop", "Finished Error ImagePullFailed"},
		"of the runner":            {aRun().withRunnerImage().withPod(initWaits("testrun-runner", reasonInvalidImageName, `bad "`+runnerImage+`"`)), "stop", "Finished Error RunnerImagePullFailed"},
		"not of a helper":          {aRun().withPod(waits("ContainerCreating", ""), besideTest(reasonInvalidImageName, badName)), "", "Pending  ImagePullFailed"},
		"not while the test runs":  {aRun().withPod(running, besideTest(reasonInvalidImageName, badName)), "", "InProgress  ImagePullFailed"},
		"not a name that may come": {aRun().withPod(waits("ErrImagePull", "not found")), "", "Pending  ImagePullFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Decide(test.seen.look(), t0.Add(10*time.Second))
			if got := deed(plan); got != test.does {
				t.Errorf("it does %q, want %q", got, test.does)
			}
			if got := words(plan.State); got != test.says {
				t.Errorf("it says %q, want %q", got, test.says)
			}
		})
	}
}
