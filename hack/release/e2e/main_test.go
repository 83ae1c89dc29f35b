package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// shop is where the release of these tests is to be had; set by TestMain.
var shop struct {
	*registryServer
	downloads *fileServer
	version   string
	dirty     bool // the tree holds what is not committed
	dist      string
	home      string // a folder for the settings of programs
}

func TestMain(m *testing.M) {
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	if !strings.HasPrefix(os.Getenv("KUBECONFIG"), fromRoot(".cluster")+"/") {
		return 0, errors.New("these tests need the local cluster for themselves: make test-release")
	}
	shop.home, err = os.MkdirTemp("", "test-release-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(shop.home)
	if shop.registryServer, err = serveRegistry(filepath.Join(shop.home, "ca.crt")); err != nil {
		return 0, err
	}
	defer shop.Close()
	shop.dist = fromRoot("dist")
	if shop.downloads, err = serveFiles(shop.dist); err != nil {
		return 0, err
	}
	defer shop.downloads.Close()
	if _, err := cluster("registry", shop.host, shop.caFile); err != nil {
		return 0, err
	}
	defer func() {
		_, forgotten := cluster("registry", shop.host)
		_, unloaded := cluster("unload-image", shop.host)
		_, cleared := command(nil, "make", "cluster-clear")
		err = errors.Join(err, forgotten, unloaded, cleared)
	}()
	if err := release(); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// release makes the release and pushes it. Its version is one that helm takes for finished, unless something is not committed.
func release() error {
	changes, err := command(nil, "git", "status", "--porcelain")
	if err != nil {
		return err
	}
	shop.version, shop.dirty = "v0.0.1", changes != ""
	if shop.dirty {
		shop.version += "-dirty"
	}
	begin := time.Now()
	if _, err := command(nil, "make", "release", "VERSION="+shop.version, "REGISTRY="+shop.host+"/testrun", "DOWNLOAD_URL="+shop.downloads.url); err != nil {
		return err
	}
	fmt.Printf("made %s after %s\n", shop.version, time.Since(begin).Round(time.Second))
	if err := logIn(filepath.Join(shop.home, "docker"), password); err != nil {
		return err
	}
	_, err = command([]string{"DOCKER_CONFIG=" + filepath.Join(shop.home, "docker")}, "make", "release-push")
	return err
}

// logIn writes a configuration as `docker login` does.
func logIn(folder, password string) error {
	config, err := json.Marshal(map[string]any{"auths": map[string]any{shop.host: map[string]string{"username": user, "password": password}}})
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "config.json"), config, 0o600))
}

// fromRoot is a path that is given from the root of the repository.
func fromRoot(parts ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "..", "..", ".."}, parts...)...)
}

func cluster(args ...string) (string, error) {
	return command(nil, "go", append([]string{"run", "-C", "hack/cluster", "."}, args...)...)
}

// command runs a program in the root of the repository, as somebody who has nothing configured but what env says, and trusts the
// registry's CA.
func command(env []string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(context.Background(), program, args...)
	cmd.Dir = fromRoot()
	cmd.Env = append(os.Environ(), environment()...)
	cmd.Env = append(cmd.Env, env...)
	// exec looks programs up in this process's PATH.
	for _, folder := range []string{fromRoot("bin", "k8s"), fromRoot("bin", "tools")} {
		if file := filepath.Join(folder, program); !strings.Contains(program, "/") && isFile(file) {
			cmd.Path, cmd.Err = file, nil
			break
		}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, out.String())
	}
	return out.String(), nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func environment() []string {
	return []string{
		"PATH=" + fromRoot("bin", "k8s") + ":" + fromRoot("bin", "tools") + ":" + os.Getenv("PATH"),
		"SSL_CERT_FILE=" + shop.caFile, "DOCKER_CONFIG=" + filepath.Join(shop.home, "nobody"),
		"HELM_CACHE_HOME=" + filepath.Join(shop.home, "helm", "cache"), "HELM_CONFIG_HOME=" + filepath.Join(shop.home, "helm", "config"),
		"HELM_DATA_HOME=" + filepath.Join(shop.home, "helm", "data"),
	}
}
