package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/builders"
)

// readsToken passes if the test can read its token for the archive, and it is one of that audience; and if it cannot write to it.
const readsToken = `
use MIME::Base64 qw(decode_base64url);
open my $file, '<', '/testrun-archive/token' or die "token: $!";
my ($header, $claims) = split /\./, <$file>;
print "1..2\n";
print "not " unless decode_base64url($claims) =~ /"aud":\["testrun-archive"\]/;
print "ok 1 - the token is one for the archive\n";
print "not " if open my $other, '>', '/testrun-archive/other';
print "ok 2 - nothing can be written beside it\n";
`

// There is no server: that changes nothing of how a test ends.
func TestWhateverUserATestRunsAsItsRunnerCanReadTheTokenForTheArchive(t *testing.T) {
	m := withoutOperator(t)
	m.start(t, "--archive-url=https://127.0.0.1:1", "--archive-pin="+strings.Repeat("a", 64), "--leader-election-namespace="+systemNamespace)
	w := newSerialWorld(t)
	user := func(id int64) *corev1.SecurityContext { return &corev1.SecurityContext{RunAsUser: &id} }
	users := map[string]func(*corev1.PodSpec){
		"root":         func(*corev1.PodSpec) {},
		"another-user": func(pod *corev1.PodSpec) { pod.Containers[0].SecurityContext = user(65534) },
		"two-users": func(pod *corev1.PodSpec) {
			pod.InitContainers = []corev1.Container{{Name: "init", Image: builders.Image, Command: []string{"true"}, SecurityContext: user(1000)}}
			pod.Containers[0].SecurityContext = user(65534)
		},
		"group": func(pod *corev1.PodSpec) {
			pod.SecurityContext = &corev1.PodSecurityContext{FSGroup: ptr.To[int64](2000)}
			pod.InitContainers = []corev1.Container{{Name: "init", Image: builders.Image, Command: []string{"true"}, SecurityContext: user(1000)}}
			pod.Containers[0].SecurityContext = user(65534)
		},
		"read-only": func(pod *corev1.PodSpec) {
			pod.Volumes = []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
			pod.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}
			pod.Containers[0].SecurityContext = restrictedTest().Template.Spec.Containers[0].SecurityContext
		},
	}
	for name, change := range users {
		spec := executing("perl", "-e", readsToken)
		change(&spec.Template.Spec)
		w.Create(builders.TestRun(name).Running(spec).Build())
	}
	for name := range users {
		hasCases(t, w.WaitForFinished(name, v1alpha1.VerdictPassed, v1alpha1.ReasonTestPassed), "2/0/0/0")
	}
}
