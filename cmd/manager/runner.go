package main

import (
	"errors"
	"fmt"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/testrun-dev/testrun/internal/jobspec"
)

// mountAuto leaves it to the server's version how the runner gets into a pod.
const mountAuto = "auto"

// imageVolumesSince is the first Kubernetes with image volumes that nobody has to turn on.
var imageVolumesSince = utilversion.MajorMinor(1, 35)

func newRunner(config *rest.Config, opts options) (jobspec.Runner, error) {
	runner := jobspec.Runner{Image: opts.runnerImage, Mount: jobspec.RunnerMount(opts.runnerMount)}
	if runner.Image == "" {
		return runner, errors.New("--runner-image is not set: it names the image of the runner, which reads the results of tests")
	}
	switch opts.runnerMount {
	case string(jobspec.ImageVolume), string(jobspec.InitContainer):
		return runner, nil
	case mountAuto:
		server, err := serverVersion(config)
		if err != nil {
			return runner, fmt.Errorf("asking the server for its version (--runner-mount says how without asking): %w", err)
		}
		runner.Mount = mountFor(server)
		return runner, nil
	default:
		return runner, fmt.Errorf("--runner-mount is %q: it is %s, %s or %s", opts.runnerMount, mountAuto, jobspec.ImageVolume, jobspec.InitContainer)
	}
}

func mountFor(server *utilversion.Version) jobspec.RunnerMount {
	if server.LessThan(imageVolumesSince) {
		return jobspec.InitContainer
	}
	return jobspec.ImageVolume
}

func serverVersion(config *rest.Config) (*utilversion.Version, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	info, err := client.ServerVersion()
	if err != nil {
		return nil, err
	}
	return utilversion.ParseGeneric(info.GitVersion)
}
