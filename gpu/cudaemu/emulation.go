// Package cudaemu builds the CUDA driver emulation: TEST EQUIPMENT with which the
// whole CUDA path runs where no card is. It computes with the kernel's own source
// on the CPU, so it proves results, order, ownership and the handling of faults;
// it never says anything about the speed of a card, and it has neither NVDEC nor
// NVENC.
package cudaemu

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Faults is the environment variable that tells the emulation how to fail, read
// when a driver is loaded: "memory=1000000", "launch=3", "lost=3", "hang=3",
// "wedge=3", "slow=500", "devices=0", "version=10000", "capability=70", with commas
// between, and "on=1" for one card only. "control=PATH" reads the same from a
// file whenever that changed, so that a card can be made to fail in a show.
const Faults = "MILLRACE_CUDA_EMULATION"

// Build compiles the emulation into dir, which takes a C compiler and the source
// tree, and gives the library's path: libcuda.so.1, as the driver's.
func Build(dir string, flags ...string) (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("build the driver emulation: its source is not known")
	}
	source := filepath.Join(filepath.Dir(file), "library")
	gpu := filepath.Join(source, "..", "..")
	if err := readAll(source, filepath.Join(gpu, "kernels"), filepath.Join(gpu, "gpubench")); err != nil {
		return "", fmt.Errorf("build the driver emulation: %w", err)
	}
	library := filepath.Join(dir, "libcuda.so.1")
	arguments := append([]string{"-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-strict-aliasing", "-ffp-contract=off",
		"-shared", "-fPIC", "-pthread"}, flags...)
	arguments = append(arguments, "-o", library, filepath.Join(source, "driver.c"), "-x", "c", filepath.Join(source, "stream.c"))
	if out, err := exec.Command("gcc", append(arguments, "-lm")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the driver emulation: %w: %s", err, out)
	}
	return library, nil
}

// readAll opens the C sources, which makes them inputs of the running test: go
// test does not see what the compiler reads, and would repeat an old answer.
func readAll(folders ...string) error {
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			switch filepath.Ext(entry.Name()) {
			case ".c", ".h", ".cu":
				file, err := os.Open(filepath.Join(folder, entry.Name()))
				if err != nil {
					return err
				}
				file.Close()
			}
		}
	}
	return nil
}
