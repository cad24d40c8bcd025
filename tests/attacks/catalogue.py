"""Which attack of the corpus stands for which cheat that is known, so that none is forgotten.

The first list are ways to get at a grader that runs Python; the second are the ways in which people have cheated in
contests and benchmarks for kernels, by kind. What needs a GPU or is no attack is in `NOT_ON_A_CPU`, with the reason.
Names are those of files in `corpus/`; `prefix_*` stands for all that begin so.
"""

JAIL = {
    "read secrets and hidden tests": "file_secret file_hidden_suite file_shadow file_relative file_through_proc file_public",
    "read by newer or odder calls": "file_openat2 file_by_path_only file_by_handle file_folders file_change_folder",
    "ask whether a file is there": "file_is_it_there file_watch",
    "descriptors left open": "file_inherited",
    "the grader's memory and variables": "memory_environment memory_of_grader_file memory_of_grader_call memory_trace "
    "memory_traceme memory_take_descriptor memory_of_sibling kernel_privileged",
    "signals and settings of others": "signal_*",
    "signals sent by the kernel": "signal_by_kernel",
    "processes": "process_bomb process_fork process_fork_by_number process_exec process_shell process_setuid_program "
    "process_multiprocessing process_thread_namespaces",
    "threads": "process_threads",
    "memory": "use_memory use_memory_in_pieces use_memory_of_children use_stack",
    "disk, files in memory, descriptors": "file_write file_cut file_in_memory use_descriptors kernel_events",
    "time": "use_time_*",
    "ends of the process": "end_*",
    "what stays": "process_thread_stays process_daemon process_session process_untie",
    "printing": "print_*",
    "frames": "wire_*",
    "answers before questions": "wire_ahead wire_ahead_with_nonce wire_twice",
    "the channel as a socket": "net_own_channel net_shut",
    "answers with a will of their own": "answer_*",
    "links, devices, mounts": "file_links kernel_mounts kernel_namespaces kernel_user_namespace",
    "libraries changed on disk": "file_libraries file_modes",
    "network": "net_*",
    "the next submission": "kernel_shared_memory kernel_queues kernel_keys file_write patch_builtins patch_numpy",
    "what it can patch": "patch_*",
    "search for expected values": "memory_hunt memory_frames memory_own_environment memory_own_file",
    "its own rights": "own_* file_libraries_from_disk",
    "clocks": "kernel_privileged cheat_clock cheat_clock_detour",
    "kernel services": "kernel_*",
    "hidden inputs carried out": "tell_*",
}  # fmt: skip
KERNELS = {
    3: "cheat_clock_later answer_later", 4: "answer_lazily", 5: "cheat_clock", 6: "patch_worker cheat_record",
    8: "cheat_warm_up", 9: "cheat_ahead", 10: "cheat_clock_later", 11: "cheat_clock_slow_reference cheat_clock_echo",
    12: "cheat_clock_between", 13: "cheat_clock_threads", 14: "process_fork process_multiprocessing",
    16: "cheat_clock_detour memory_trace", 17: "cheat_recycled_memory", 18: "cheat_by_identity",
    19: "cheat_by_shape cheat_by_some_entries", 20: "cheat_by_identity", 21: "memory_hunt memory_frames",
    22: "answer_nothing", 23: "cheat_seed cheat_known_inputs", 24: "cheat_change_input cheat_pass_through",
    25: "file_write kernel_shared_memory", 26: "cheat_half_precision", 27: "cheat_constant", 28: "cheat_part",
    30: "cheat_inputs_by_structure", 31: "cheat_recycled_memory", 32: "cheat_fallback", 33: "cheat_fallback",
    34: "cheat_fallback", 36: "process_multiprocessing process_shell file_libraries_from_disk net_tcp",
    38: "file_inherited file_write memory_own_environment", 39: "end_channel_swapped patch_hooks",
    40: "memory_hunt memory_own_file memory_own_environment", 41: "end_exit end_exit_in_call end_system_exit",
    42: "file_hidden_suite file_through_proc", 43: "patch_shadow_numpy patch_test_files patch_modules",
    44: "answer_equal_to_all answer_array_with_a_will answer_objects", 45: "print_passed print_terminal",
    46: "patch_comparisons", 47: "patch_code patch_worker", 48: "use_* print_much process_bomb",
}  # fmt: skip
NOT_ON_A_CPU = {
    1: "needs a device: a kernel that is still running when its function has returned",
    2: "needs a device: work on a stream of its own",
    7: "no attack on nnkit: every case has a threshold of its own, no mean is taken",
    15: "needs a device: graphs replayed",
    29: "wrong numbers, no attack: the catalogues of mistakes have them",
    35: "needs a device's compiler: a kernel that is written and never launched",
    37: "no cheat: sizes may be tuned for, and are drawn from more than are known",
    49: "no attack on nnkit: no judge reads the code",
    50: "needs a device: its memory searched", 51: "needs a device: its caches kept warm", 52: "needs a device: its clocks changed",
}  # fmt: skip
