package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// Some places cannot be configured. A kubelet or a CNI of another cluster may use them too, so only what is known to
// be ours is removed from them, and a folder only when nothing is left in it.
const (
	logLinks      = "/var/log/containers"
	cniResults    = "/var/lib/cni/results"
	devicePlugins = "/var/lib/kubelet/device-plugins"
)

// removeStrays removes what components left outside of the cluster's own folders.
func removeStrays() error {
	strays := []string{devicePlugins + "/kubelet.sock", devicePlugins + "/kubelet_internal_checkpoint"}
	links, err := filepath.Glob(logLinks + "/*.log")
	if err != nil {
		return err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, layout.PodLogDir+"/") {
			strays = append(strays, link)
		}
	}
	results, err := filepath.Glob(cniResults + "/" + layout.PodLink + "-*")
	if err != nil {
		return err
	}
	strays = append(strays, results...)

	var errs []error
	for _, path := range strays {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, dir := range []string{logLinks, cniResults, filepath.Dir(cniResults), devicePlugins, filepath.Dir(devicePlugins)} {
		_ = os.Remove(dir) // refused unless empty
	}
	return errors.Join(errs...)
}
