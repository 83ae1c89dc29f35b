package e2e

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
)

// obstacle is something that keeps a test from being started.
type obstacle struct {
	spec   v1alpha1.TestSpec
	labels []string // of the namespace
	// place puts the obstacle there, and remove takes it away; nil where there is nothing to do.
	place, remove func(w *world)
	reason        string
	quotes        []string
	// atOnce says that the run ends without waiting for timeouts.start.
	atOnce bool
}

func obstacles() map[string]obstacle {
	unscheduled := specWith(func(pod *corev1.PodSpec) {
		pod.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("9000")}
	})
	return map[string]obstacle{
		"the image cannot be pulled": {
			spec:   withImage("registry.invalid/suite:1"),
			reason: v1alpha1.ReasonImagePullFailed, quotes: []string{"Container test:", "registry.invalid/suite:1"},
		},
		"the name of the image is no name": {
			spec:   withImage("Not An Image"),
			reason: v1alpha1.ReasonImagePullFailed, quotes: []string{"Not An Image"}, atOnce: true,
		},
		"no node fits": {
			spec:   unscheduled,
			reason: v1alpha1.ReasonUnschedulable, quotes: []string{"nodes are available", "Insufficient cpu"},
		},
		"a ConfigMap of the environment is missing": {
			spec: specWith(func(pod *corev1.PodSpec) {
				source := &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}
				pod.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: source}}
			}),
			remove: func(w *world) { w.Create(configMap("settings", map[string]string{"A": "b"})) },
			reason: v1alpha1.ReasonContainerConfigError, quotes: []string{`configmap "settings" not found`},
		},
		"a ConfigMap of a volume is missing": {
			spec:   specWith(func(pod *corev1.PodSpec) { mounted(pod, "suite", "/suite") }),
			remove: func(w *world) { w.Create(configMap("suite", map[string]string{"a.t": "1;"})) },
			reason: v1alpha1.ReasonVolumeNotReady, quotes: []string{`configmap "suite" not found`},
		},
		"a Secret is missing": {
			spec: specWith(func(pod *corev1.PodSpec) {
				key := &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "login"}, Key: "password"}
				pod.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: key}}}
			}),
			remove: func(w *world) {
				w.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "login"}, StringData: map[string]string{"password": "x"}})
			},
			reason: v1alpha1.ReasonContainerConfigError, quotes: []string{`secret "login" not found`},
		},
		"the quota is exhausted": {
			spec:   builders.TestSpec("true"),
			place:  func(w *world) { w.limitPods("0") },
			remove: func(w *world) { w.limitPods("9") },
			reason: v1alpha1.ReasonQuotaExceeded, quotes: []string{"exceeded quota: pods", "limited: pods=0"},
		},
		"the quota of Jobs is exhausted": {
			spec:   builders.TestSpec("true"),
			place:  func(w *world) { w.limit("count/jobs.batch", "0") },
			remove: func(w *world) { w.limit("count/jobs.batch", "9") },
			reason: v1alpha1.ReasonQuotaExceeded, quotes: []string{"exceeded quota: pods", "limited: count/jobs.batch=0"},
		},
		"the quota demands limits": {
			spec:   builders.TestSpec("true"),
			place:  func(w *world) { w.limit("limits.cpu", "9") },
			reason: v1alpha1.ReasonPodRefused, quotes: []string{"failed quota: pods: must specify limits.cpu"},
		},
		"the template of a resource claim is missing": {
			spec: specWith(func(pod *corev1.PodSpec) {
				pod.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimTemplateName: ptr.To("nope")}}
				pod.Containers[0].Resources.Claims = []corev1.ResourceClaim{{Name: "gpu"}}
			}),
			reason: v1alpha1.ReasonUnschedulable, quotes: []string{"gpu", `"nope" not found`},
		},
		"the ServiceAccount is missing": {
			spec:   specWith(func(pod *corev1.PodSpec) { pod.ServiceAccountName = "tester" }),
			remove: func(w *world) { w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "tester"}}) },
			reason: v1alpha1.ReasonServiceAccountNotFound, quotes: []string{`serviceaccount "tester" not found`},
		},
		"Pod Security refuses the pod": {
			spec: builders.TestSpec("true"), labels: []string{enforce, "restricted"},
			remove: func(w *world) { w.mustKubectl("label", "namespace", w.Namespace, enforce+"-") },
			reason: v1alpha1.ReasonPodRefused, quotes: []string{`violates PodSecurity "restricted:latest"`, "allowPrivilegeEscalation"},
		},
		"the Job is invalid": {
			spec:   withImage(""),
			reason: v1alpha1.ReasonJobInvalid, quotes: []string{"containers[0].image: Required value"}, atOnce: true,
		},
		"the command is not there": {
			spec:   byExitCode(executing("no-such-program")), // the runner would have run, and said the same
			reason: v1alpha1.ReasonStartFailed, quotes: []string{`exec: "no-such-program": executable file not found`}, atOnce: true,
		},
		"the container cannot be created": {
			spec: specWith(func(pod *corev1.PodSpec) {
				profile := &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeLocalhost, LocalhostProfile: ptr.To("no-such.json")}
				pod.Containers[0].SecurityContext = &corev1.SecurityContext{SeccompProfile: profile}
			}),
			reason: v1alpha1.ReasonContainerNotCreated, quotes: []string{"no-such.json"},
		},
		"an init container fails": {
			spec:   prepared("exit 4"),
			reason: v1alpha1.ReasonInitFailed, quotes: []string{"prepare", "exit code 4"}, atOnce: true,
		},
	}
}

const enforce = "pod-security.kubernetes.io/enforce"

func TestWhatCannotBeStartedIsAnErrorThatQuotesKubernetesAndNeverRunsAfterwards(t *testing.T) {
	t.Parallel()
	for name, obstacle := range obstacles() {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, obstacle.labels...)
			if obstacle.place != nil {
				obstacle.place(w)
			}
			w.Create(builders.TestRun("stuck").Running(obstacle.spec).StartTimeout(15 * time.Second).Build())
			quotes := obstacle.quotes
			if !obstacle.atOnce {
				quotes = append(quotes, "Not started within 15s")
			}
			run := w.WaitForFinished("stuck", v1alpha1.VerdictError, obstacle.reason, quotes...)
			if run.Status.StartTime != nil || exitCode(run) != -1 {
				t.Errorf("startTime is %v and the exit code %d, want none: the test never ran", run.Status.StartTime, exitCode(run))
			}
			if !obstacle.atOnce && !w.history.was("stuck", v1alpha1.PhasePending, obstacle.reason) {
				t.Errorf("the run was never Pending with reason %s, want it to say so while it waits", obstacle.reason)
			}
			w.waitForEvent(run)
			if obstacle.remove != nil {
				obstacle.remove(w)
			}
			w.expectStaysStopped("stuck")
		})
	}
}

// limitPods makes or changes the quota named pods, and waits until it is in force.
func TestAnUnknownSchedulerAndAnUnknownNodeAreNamed(t *testing.T) {
	w := newWorld(t)
	w.Create(builders.TestRun("unseen").Running(specWith(func(pod *corev1.PodSpec) { pod.SchedulerName = "volcano" })).StartTimeout(40 * time.Second).Build())
	w.Create(builders.TestRun("nowhere").Once().Running(specWith(func(pod *corev1.PodSpec) { pod.NodeName = "nope" })).Build())
	nowhere := w.WaitForPending("nowhere", v1alpha1.ReasonUnschedulable)
	if message := conditions.Message(nowhere); message != "Node nope does not exist" {
		t.Errorf("of an unknown node it says %q", message)
	}
	const unseen = `No scheduler named "volcano" has looked at the pod (schedulerName)`
	if message := conditions.Message(w.WaitForPending("unseen", v1alpha1.ReasonScheduling)); message != unseen {
		t.Errorf("of an unknown scheduler it says %q", message)
	}
	w.WaitForFinished("unseen", v1alpha1.VerdictError, v1alpha1.ReasonStartTimeout, "Not started within 40s", unseen)
}

func TestARunnersImageThatCannotBePulledIsNotTheTestsFault(t *testing.T) {
	m := withoutOperator(t)
	for _, mount := range []string{"image-volume", "init-container"} {
		t.Run(mount, func(t *testing.T) {
			w := newWorld(t)
			kill := m.start(t, "--runner-image=registry.invalid/runner:none", "--runner-mount="+mount)
			w.Create(builders.TestRun("stuck").StartTimeout(20 * time.Second).Build())
			w.WaitForFinished("stuck", v1alpha1.VerdictError, v1alpha1.ReasonRunnerImagePullFailed, "registry.invalid/runner:none")
			kill()
		})
	}
}

func (w *world) limitPods(most string) {
	w.T.Helper()
	w.limit(corev1.ResourcePods, most)
}

func (w *world) limit(what corev1.ResourceName, most string) {
	w.T.Helper()
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "pods", Namespace: w.Namespace}}
	limit := corev1.ResourceList{what: resource.MustParse(most)}
	if err := w.Client.Get(w.Ctx, client.ObjectKeyFromObject(quota), quota); err == nil {
		quota.Spec.Hard = limit
		w.Must(w.Client.Update(w.Ctx, quota))
	} else {
		quota.Spec.Hard = limit
		w.Create(quota)
	}
	w.WaitFor("the quota of "+most+" "+string(what)+" is in force", func() bool {
		w.Must(w.Client.Get(w.Ctx, client.ObjectKeyFromObject(quota), quota))
		inForce := quota.Status.Hard[what]
		return inForce.Cmp(limit[what]) == 0
	})
}

// waitForEvent waits for the Warning event with which a run that did not pass ends.
func (w *world) waitForEvent(run *v1alpha1.TestRun) {
	w.T.Helper()
	w.WaitFor("a Warning event "+conditions.Reason(run)+" on run "+run.Name, func() bool {
		events := &corev1.EventList{}
		w.Must(w.Client.List(w.Ctx, events, client.InNamespace(w.Namespace), client.MatchingFields{
			"involvedObject.uid": string(run.UID), "type": corev1.EventTypeWarning, "reason": conditions.Reason(run),
		}))
		return len(events.Items) > 0
	})
}

// expectStaysStopped checks that nothing of a finished run is left that can do something, and that nothing comes later. The Job
// controller tries again to make a pod after some ten seconds, and the kubelet to start a container after fewer.
func (w *world) expectStaysStopped(run string) {
	w.T.Helper()
	w.WaitFor("the pod of "+run+" ends or goes away", func() bool { return !w.hasLivePod(run) })
	w.ExpectNever("a pod of "+run+" comes, or its container runs", 15*time.Second, func() bool {
		return w.hasLivePod(run) || w.history.hasRun(run)
	})
}
