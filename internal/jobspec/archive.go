package jobspec

import (
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner"
)

// Archive is the server to which the runner pushes what a test says. Without a URL or without a pin nothing is pushed, and the Job is as it
// would be without an archive.
type Archive struct {
	// URL is that of the server's push port.
	URL string
	// Pins are what the server's key may be: see archivestatus.ParsePins.
	Pins []string
}

// archiveVolume is the name of the volume that holds the token.
const archiveVolume = "testrun-archive"

// tokenSeconds is how long a token is valid. The kubelet replaces it before. It is Kubernetes' default: a shorter one would cost a request to
// the API server every few minutes, and might be over before a test with a long grace period has pushed its end. The server refuses a token
// whose pod is gone, however long it is valid.
const tokenSeconds = 3600

func (a Archive) isUsable() bool { return a.URL != "" && len(a.Pins) > 0 }

// addTo tells the runner of the archive.
func (a Archive) addTo(options *runner.Options) {
	if a.isUsable() {
		options.Archive, options.ArchivePins = literal(a.URL), a.Pins
	}
}

// mount gives the test's container, and no other, the token by which its runner may push. Whatever user the container runs as can read it:
// the kubelet gives the file to the user or the group of the pod, or else lets everybody in the container read it.
func (a Archive) mount(pod *corev1.PodSpec, test *corev1.Container) {
	if !a.isUsable() {
		return
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: archiveVolume, VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: push.Audience, ExpirationSeconds: ptr.To[int64](tokenSeconds), Path: path.Base(push.TokenFile),
			},
		}}},
	}})
	test.VolumeMounts = append(test.VolumeMounts, corev1.VolumeMount{Name: archiveVolume, MountPath: push.TokenDir, ReadOnly: true})
}
