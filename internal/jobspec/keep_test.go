package jobspec

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// suite is a Test with a bit of everything that an attempt is rendered from.
func suite() *v1alpha1.Test {
	spec := builders.TestSpec("prove -v t/", v1alpha1.ParamSpec{Name: "TARGET", Required: ptr.To(true)}, v1alpha1.ParamSpec{Name: "LANG", Default: ptr.To("C")})
	spec.Description, spec.Queue = "All of it.", "browsers"
	spec.Retention.Keep.Passed = ptr.To[int32](3)
	spec.Concurrency = v1alpha1.Concurrency{Key: "env-$(TARGET)", Max: 2}
	spec.Template.Labels = map[string]string{v1alpha1.LabelKueueQueue: "team-a", "team": "web"}
	spec.Template.Annotations = map[string]string{"kueue.x-k8s.io/podset-required-topology": "rack", "note": "kept"}
	spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	return &v1alpha1.Test{ObjectMeta: metav1.ObjectMeta{Name: "suite", Generation: 3}, Spec: spec}
}

// tampered is the Job as others leave it: Kubernetes, Kueue, webhooks that inject and default, people.
func tampered(job *batchv1.Job) *batchv1.Job {
	job = job.DeepCopy()
	job.UID, job.ResourceVersion = "uid", "7"
	job.Annotations[v1alpha1.AnnotationStopReason] = "old"
	job.Annotations["kueue.x-k8s.io/workload"] = "job-smoke-1-1234"
	job.Labels["kueue.x-k8s.io/queue-name"], job.Labels["injected"] = "another", "true"
	job.Spec.Suspend, job.Spec.Parallelism = ptr.To(true), ptr.To[int32](0)
	job.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"controller-uid": "uid"}}
	template := &job.Spec.Template
	for _, label := range []string{"controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"} {
		template.Labels[label] = "old"
	}
	template.Annotations = map[string]string{"kueue.x-k8s.io/workload": "job-smoke-1-1234", "sidecar.istio.io/status": "injected"}
	template.Labels["kueue.x-k8s.io/podset"] = "main"
	pod := &template.Spec
	pod.NodeSelector = map[string]string{"flavor": "spot"}
	pod.Tolerations = []corev1.Toleration{{Key: "spot", Operator: corev1.TolerationOpExists}}
	pod.SchedulingGates = []corev1.PodSchedulingGate{{Name: "kueue.x-k8s.io/topology"}}
	pod.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	pod.Containers[0].Env = append(pod.Containers[0].Env, corev1.EnvVar{Name: "INJECTED", Value: "yes"})
	pod.Containers = append([]corev1.Container{{Name: "istio-proxy", Image: "proxy"}}, pod.Containers...)
	return job
}

func TestAFurtherAttemptIsWhatWeRenderedWhateverOthersMadeOfTheLastJob(t *testing.T) {
	inline := asking(withRetries(1, 1))
	inline.Run.Spec.TestSpec.Template.Labels = map[string]string{v1alpha1.LabelKueueQueue: "team-a"}
	for name, asked := range map[string]Request{
		"a run with a definition of its own":      inline,
		"a run of a Test":                         ofSuite(),
		"a run that repeats one of a Test":        repeatingOne(ofSuite()),
		"a run that repeats one with its own":     repeatingOne(inline),
		"a run that repeats one with another env": repeatingOne(ofSuite()),
	} {
		t.Run(name, func(t *testing.T) {
			want, err := yaml.Marshal(asked.job(2))
			if err != nil {
				t.Fatal(err)
			}
			// The Test and the repeated run are gone: the run and the last Job must be enough.
			again, err := RequestKept(asked.Run, RecordOn(tampered(asked.job(FirstAttempt))))
			if err != nil {
				t.Fatalf("it is not found: %v", err)
			}
			got, err := yaml.Marshal(again.job(2))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("it is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestARunThatHasOneAttemptOrItsOwnDefinitionKeepsNothing(t *testing.T) {
	only := ofSuite()
	withRetries(0, 0)(only.Run)
	only.Asked = only.Run.Spec
	for name, asked := range map[string]Request{"one attempt": only, "a definition of its own": asking(withRetries(1, 1))} {
		if kept := RecordOn(asked.job(FirstAttempt)).Definition; kept != "" {
			t.Errorf("%s: it keeps %q", name, kept)
		}
	}
}

// noise is text that nothing compresses.
func noise(size int) string {
	random := rand.NewChaCha8([32]byte{1})
	text := make([]byte, size)
	_, _ = random.Read(text)
	return base64.StdEncoding.EncodeToString(text)
}

func TestWhatIsKeptIsSmallAndBounded(t *testing.T) {
	args := func(args ...string) v1alpha1.TestSpec {
		spec := builders.TestSpec("prove -v t/")
		spec.Template.Spec.Containers[0].Args = args
		return spec
	}
	for name, test := range map[string]struct {
		spec   v1alpha1.TestSpec
		prefix string
		most   int
	}{
		"an ordinary Test":                {suite().Spec, keptPrefix, 400},
		"a large one":                     {args(noise(20 << 10)), keptPrefix, maxKept},
		"one that is too large":           {args(noise(80 << 10)), digestPrefix, 80},
		"one that has too many values":    {args(make([]string, 2*maxKeptValues)...), digestPrefix, 80},
		"one that is large when unpacked": {args(strings.Repeat("x", maxKeptJSON)), digestPrefix, 80},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ofSuite()
			asked.Test.Spec, asked.Asked.Params = test.spec, nil
			kept := RecordOn(asked.job(FirstAttempt)).Definition
			if !strings.HasPrefix(kept, test.prefix) || len(kept) > test.most {
				t.Errorf("%d bytes are kept, want %d at most: %.20s", len(kept), test.most, kept)
			}
		})
	}
}

func TestWhatSomebodyHasWrittenInPlaceOfTheDefinitionIsNotRun(t *testing.T) {
	packed := func(text string) string { return pack([]byte(text)) }
	containers := func(n int, each string) string {
		return `{"test":{"template":{"spec":{"containers":[` + strings.Repeat(each+",", n) + each + `]}}}}`
	}
	good := RecordOn(ofSuite().job(FirstAttempt)).Definition
	for name, annotation := range map[string]string{
		"nothing":                        "",
		"words":                          "nothing to see here",
		"another encoding":               "2:" + good[len(keptPrefix):],
		"half of it":                     good[:len(good)/2],
		"no base64":                      keptPrefix + "§§§",
		"nothing packed":                 keptPrefix,
		"no JSON":                        packed("hello"),
		"another kind of JSON":           packed(`{"test":[1,2,3]}`),
		"no test":                        packed(`{}`),
		"no container":                   packed(`{"test":{"template":{"spec":{}}}}`),
		"a param that the run lacks":     packed(`{"test":{"params":[{"name":"TARGET"},{"name":"OTHER","required":true}],"template":{"spec":{"containers":[{}]}}}}`),
		"a param that the test lacks":    packed(`{"test":{"template":{"spec":{"containers":[{}]}}}}`),
		"more than an annotation can be": keptPrefix + noise(maxKept),
		"many small values":              packed(containers(300000, "{}")),
		"many values of nothing":         packed(containers(200000, "null")),
		"much text":                      packed(containers(0, `{"name":"`+strings.Repeat("x", 30<<20)+`"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			last := RecordOn(ofSuite().job(FirstAttempt))
			last.Definition = annotation
			if _, err := RequestKept(ofSuite().Run, last); err == nil || len(err.Error()) > 500 {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func BenchmarkKeep(b *testing.B) {
	asked := ofSuite()
	def := asked.Definition()
	b.ReportAllocs()
	for b.Loop() {
		if annotation := keep(asked, def); annotation == "" {
			b.Fatal("nothing is kept")
		}
	}
}
