// layer.c: a Vulkan layer under which a driver compiles for a GPU that is not there, and tells what it compiled.
//
// Mesa's drivers compile without a device, but fail or crash when commands are recorded, work is submitted or memory is
// asked for. The layer answers those calls itself (absence.c), passes all others on, and writes a line of statistics and the
// assembly of every compute pipeline into the folder ISA_FOLDER (pipelines.c).
#include "layer.h"
#include <stdlib.h>
#include <string.h>

Driver driver;

// The loader's link to what comes next, in the chain of a create call. Both kinds of link begin alike.
static void *link_of(const void *chain, VkStructureType type) {
  for (const VkLayerDeviceCreateInfo *each = chain; each; each = each->pNext) {
    if (each->sType == type && each->function == VK_LAYER_LINK_INFO) return (void *)each;
  }
  return NULL;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *allocator, VkInstance *out) {
  VkLayerInstanceCreateInfo *link = link_of(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  driver.instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  VkResult result =
      ((PFN_vkCreateInstance)driver.instance_proc(NULL, "vkCreateInstance"))(info, allocator, out);
  if (result == VK_SUCCESS) driver.instance = *out;
  return result;
}

// Creates the device with the extension that tells of pipelines.
static VKAPI_ATTR VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator, VkDevice *out) {
  VkLayerDeviceCreateInfo *link = link_of(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  PFN_vkGetInstanceProcAddr instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  driver.device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;

  uint32_t count = info->enabledExtensionCount;
  const char **extensions = malloc((count + 1) * sizeof *extensions);
  if (!extensions) return VK_ERROR_OUT_OF_HOST_MEMORY;
  for (uint32_t i = 0; i < count; i++) extensions[i] = info->ppEnabledExtensionNames[i];
  extensions[count] = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR telling = {
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
      .pNext = (void *)info->pNext,
      .pipelineExecutableInfo = VK_TRUE,
  };
  VkDeviceCreateInfo wanted = *info;
  wanted.pNext = &telling;
  wanted.enabledExtensionCount = count + 1;
  wanted.ppEnabledExtensionNames = extensions;
  VkResult result = ((PFN_vkCreateDevice)instance_proc(driver.instance, "vkCreateDevice"))(physical, &wanted,
                                                                                          allocator, out);
  free(extensions);
  if (result == VK_SUCCESS) driver.device = *out;
  return result;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_proc(VkInstance instance, const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char *name);

static const Answer CREATION_ANSWERS[] = {
    ANSWER("vkGetInstanceProcAddr", instance_proc),
    ANSWER("vkGetDeviceProcAddr", device_proc),
    ANSWER("vkCreateInstance", create_instance),
    ANSWER("vkCreateDevice", create_device),
    {NULL, NULL},
};

// In the calling conventions of x86-64 and arm64 a function may leave its arguments alone: one records every command.
static VKAPI_ATTR void VKAPI_CALL record_nothing(void) {}

static PFN_vkVoidFunction answer_to(const char *name) {
  if (!strncmp(name, "vkCmd", 5)) return (PFN_vkVoidFunction)record_nothing;
  const Answer *const tables[] = {CREATION_ANSWERS, ABSENCE_ANSWERS, PIPELINE_ANSWERS};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
    for (const Answer *each = tables[i]; each->name; each++) {
      if (!strcmp(name, each->name)) return each->function;
    }
  }
  return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_proc(VkInstance instance, const char *name) {
  PFN_vkVoidFunction own = answer_to(name);
  if (own || !driver.instance_proc) return own;
  return driver.instance_proc(instance, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char *name) {
  PFN_vkVoidFunction own = answer_to(name);
  if (own || !driver.device_proc) return own;
  return driver.device_proc(device, name);
}

// The one function that the loader looks for in the library.
__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *loader) {
  if (loader->loaderLayerInterfaceVersion < 2) return VK_ERROR_INITIALIZATION_FAILED;
  loader->loaderLayerInterfaceVersion = 2;
  loader->pfnGetInstanceProcAddr = instance_proc;
  loader->pfnGetDeviceProcAddr = device_proc;
  loader->pfnGetPhysicalDeviceProcAddr = NULL;
  return VK_SUCCESS;
}
