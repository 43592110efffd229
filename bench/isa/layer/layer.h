// layer.h: what the files of the layer share: the driver behind it, and the functions that it answers with.
#pragma once
#include <stddef.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

// The driver, as the loader linked it. A program has one instance and one device here.
typedef struct {
  VkInstance instance;
  VkDevice device;
  PFN_vkGetInstanceProcAddr instance_proc;
  PFN_vkGetDeviceProcAddr device_proc;
} Driver;

extern Driver driver;

// The driver's own function.
#define OF_DEVICE(name) ((PFN_##name)driver.device_proc(driver.device, #name))
#define OF_INSTANCE(name) ((PFN_##name)driver.instance_proc(driver.instance, #name))

typedef struct {
  const char *name;
  PFN_vkVoidFunction function;
} Answer;

#define ANSWER(name, function) {name, (PFN_vkVoidFunction)(function)}

// Each ends with a name that is NULL. absence.c: what a driver without a device cannot do. pipelines.c: what is kept of compiling.
extern const Answer ABSENCE_ANSWERS[];
extern const Answer PIPELINE_ANSWERS[];
