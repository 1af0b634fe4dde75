// A stand-in for NVIDIA's libnvidia-ml.so.1: the functions that the meter calls, with their real signatures, answering from the text file
// that FAKE_NVML names. The file is read at every call, so that a test can break a GPU while it is being measured.
//
//   init CODE                                        what nvmlInit_v2 returns
//   gpu INDEX name=N uuid=U limit=mW compute=8.6 mig=1 energy=mJ power=mW refresh=MS
//   instance INDEX NUMBER UUID                       a MIG instance of a GPU
//
// A value of !CODE is an error that the function returns; energy=@W counts W watts of real time, refreshed every `refresh` ms.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9 };

typedef void *device_t;

static char *script(void) {
  static _Thread_local char text[16384];
  const char *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : NULL;
  if (!file) return NULL;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  return text;
}

// Finds the line that begins with `head`, ends it with a zero and returns what follows the head.
static char *line(const char *head) {
  char *at = script();
  size_t length = strlen(head);
  while (at && *at) {
    char *end = strchr(at, '\n');
    if (end) *end = 0;
    if (!strncmp(at, head, length) && (at[length] == ' ' || !at[length])) return at + length;
    at = end ? end + 1 : NULL;
  }
  return NULL;
}

static char *gpu(device_t device) {
  char head[32];
  snprintf(head, sizeof head, "gpu %ld", (long)device - 1);
  return line(head);
}

// Puts the value of a key into `value`; the code of !CODE, NOT_SUPPORTED where the key is missing.
static int get(device_t device, const char *key, char *value, size_t room) {
  char *words = gpu(device);
  if (!words) return NOT_FOUND;
  char head[32];
  snprintf(head, sizeof head, "%s=", key);
  for (char *rest, *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
    if (strncmp(word, head, strlen(head))) continue;
    word += strlen(head);
    if (*word == '!') return atoi(word + 1);
    if (strlen(word) >= room) return INVALID;
    strcpy(value, word);
    return SUCCESS;
  }
  return NOT_SUPPORTED;
}

static int get_number(device_t device, const char *key, unsigned long long *value) {
  char text[64];
  int code = get(device, key, text, sizeof text);
  if (code == SUCCESS) *value = strtoull(text, NULL, 10);
  return code;
}

int nvmlInit_v2(void) {
  char *code = line("init");
  return code ? atoi(code) : getenv("FAKE_NVML") ? SUCCESS : DRIVER_NOT_LOADED;
}

int nvmlShutdown(void) { return SUCCESS; }

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
  snprintf(version, length, "550.54");
  return SUCCESS;
}

const char *nvmlErrorString(int code) {
  (void)code;
  return "an error of the fake library";
}

int nvmlDeviceGetCount_v2(unsigned *count) {
  for (*count = 0; gpu((device_t)(long)(*count + 1)); ++*count) {}
  return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *device) {
  *device = (device_t)(long)(index + 1);
  char text[64];
  int code = get(*device, "handle", text, sizeof text);
  return code == NOT_SUPPORTED ? SUCCESS : code;
}

int nvmlDeviceGetName(device_t device, char *name, unsigned length) { return get(device, "name", name, length); }

int nvmlDeviceGetUUID(device_t device, char *uuid, unsigned length) {
  long instance = (long)device - 1000;
  if (instance < 0) return get(device, "uuid", uuid, length);
  char head[32];
  snprintf(head, sizeof head, "instance %ld %ld", instance / 10, instance % 10);
  char *found = line(head);
  if (!found) return NOT_FOUND;
  snprintf(uuid, length, "%s", found + 1);
  return SUCCESS;
}

int nvmlDeviceGetEnforcedPowerLimit(device_t device, unsigned *limit) {
  unsigned long long value = 0;
  int code = get_number(device, "limit", &value);
  *limit = value;
  return code;
}

int nvmlDeviceGetCudaComputeCapability(device_t device, int *major, int *minor) {
  char text[16];
  int code = get(device, "compute", text, sizeof text);
  if (code == SUCCESS && sscanf(text, "%d.%d", major, minor) != 2) return INVALID;
  return code;
}

int nvmlDeviceGetMigMode(device_t device, unsigned *current, unsigned *pending) {
  unsigned long long value = 0;
  int code = get_number(device, "mig", &value);
  *current = *pending = value;
  return code;
}

int nvmlDeviceGetMaxMigDeviceCount(device_t device, unsigned *count) {
  (void)device;
  *count = 7;
  return SUCCESS;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device_t device, unsigned index, device_t *instance) {
  char head[32];
  long owner = (long)device - 1;
  snprintf(head, sizeof head, "instance %ld %u", owner, index);
  if (!line(head)) return NOT_FOUND;
  *instance = (device_t)(1000 + owner * 10 + index);
  return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(device_t device, unsigned long long *energy) {
  char text[64];
  int code = get(device, "energy", text, sizeof text);
  if (code != SUCCESS) return code;
  if (*text != '@') {
    *energy = strtoull(text, NULL, 10);
    return SUCCESS;
  }
  unsigned long long refresh = 1;
  get_number(device, "refresh", &refresh);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  unsigned long long milliseconds = now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
  *energy = milliseconds / refresh * refresh * strtoull(text + 1, NULL, 10);
  return SUCCESS;
}

int nvmlDeviceGetPowerUsage(device_t device, unsigned *power) {
  unsigned long long value = 0;
  int code = get_number(device, "power", &value);
  *power = value;
  return code;
}
