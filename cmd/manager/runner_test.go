package main

import (
	"testing"

	utilversion "k8s.io/apimachinery/pkg/util/version"

	"github.com/testrun-dev/testrun/internal/jobspec"
)

func TestTheServersVersionDecidesHowTheRunnerIsMounted(t *testing.T) {
	for server, want := range map[string]jobspec.RunnerMount{
		"v1.34.9":              jobspec.InitContainer,
		"v1.35.0":              jobspec.ImageVolume,
		"v1.35.2-gke.1234":     jobspec.ImageVolume,
		"v1.36.0+k3s1":         jobspec.ImageVolume,
		"v2.0.0-alpha.1":       jobspec.ImageVolume,
		"v1.9.11-eks-a1b2c3d4": jobspec.InitContainer,
	} {
		if got := mountFor(utilversion.MustParseGeneric(server)); got != want {
			t.Errorf("%s: %s, want %s", server, got, want)
		}
	}
}

func TestAFlagOfTheRunnerThatCannotBeMeantIsRefused(t *testing.T) {
	tests := map[string]struct {
		opts options
		says string
	}{
		"no image":      {options{runnerMount: mountAuto}, "--runner-image is not set: it names the image of the runner, which reads the results of tests"},
		"unknown mount": {options{runnerImage: "i", runnerMount: "volume"}, `--runner-mount is "volume": it is auto, image-volume or init-container`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := newRunner(nil, test.opts); err == nil || err.Error() != test.says {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
