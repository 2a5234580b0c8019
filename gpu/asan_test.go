package gpu

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"millrace/gpu/cudaemu"
)

// sanitizedVariable names the emulation that was built with AddressSanitizer, in the
// process that runs under it.
const sanitizedVariable = "MILLRACE_TEST_SANITIZED"

// TestUnderAddressSanitizer runs the tests of the card again with the emulated driver
// and the kernel under AddressSanitizer: every byte that they touch beyond an
// allocation, or after it was freed, ends the test.
func TestUnderAddressSanitizer(t *testing.T) {
	if os.Getenv(sanitizedVariable) != "" {
		t.Skip("this is the run under it")
	}
	sanitizer, err := exec.Command("gcc", "-print-file-name=libasan.so").Output()
	require.NoError(t, err)
	library, err := cudaemu.Build(t.TempDir(), "-fsanitize=address", "-fno-omit-frame-pointer", "-g", "-Wno-error")
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=CUDA|Card|Surface|OverTheCard|Rewritten|Examine")
	command.Env = append(os.Environ(), sanitizedVariable+"="+library, "LD_PRELOAD="+strings.TrimSpace(string(sanitizer)),
		// Go's own memory is not the sanitizer's to judge, and what lives to the end is counted by Live.
		"ASAN_OPTIONS=detect_leaks=0:handle_segv=0:allow_user_segv_handler=1:use_sigaltstack=0:abort_on_error=0:exitcode=66")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "AddressSanitizer")
	require.Contains(t, string(out), "--- PASS: TestCUDAEqualsTheReference")
}
