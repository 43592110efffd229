// pipelines.c: what the layer keeps of compiling: a line of statistics and the assembly of every compute pipeline.
//
//   $ISA_FOLDER/pipelines.jsonl  {"name":"...","invocations":128,"subgroupSize":64,"statistics":{"VGPRs":96, ...}}, a line each
//   $ISA_FOLDER/NAME.s           the assembly, where the driver has it as text
//
// NAME is the label of the shader module. Labels are made of letters, digits, dots and underscores, and are not repeated.
#include "layer.h"
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 128 };

// A shader module, by its newest handle: Vulkan may give one out again.
typedef struct Module {
  struct Module *next;
  VkShaderModule handle;
  uint32_t invocations; // of a workgroup
  char name[NAME_BYTES];
} Module;

static Module *modules;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static Module *module_of(VkShaderModule handle) {
  Module *module = modules;
  while (module && module->handle != handle) module = module->next;
  return module;
}

// By the execution mode LocalSize of SPIR-V; 0 where there is none.
static uint32_t invocations_of(const uint32_t *code, size_t words) {
  enum { HEADER = 5, OP_EXECUTION_MODE = 16, LOCAL_SIZE = 17, LENGTH = 6 };
  for (size_t at = HEADER; at + LENGTH <= words && code[at] >> 16; at += code[at] >> 16) {
    const uint32_t *op = &code[at];
    if ((op[0] & 0xffff) == OP_EXECUTION_MODE && op[2] == LOCAL_SIZE) return op[3] * op[4] * op[5];
  }
  return 0;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_shader_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                           const VkAllocationCallbacks *allocator,
                                                           VkShaderModule *out) {
  VkResult result = OF_DEVICE(vkCreateShaderModule)(device, info, allocator, out);
  Module *module = result == VK_SUCCESS ? calloc(1, sizeof *module) : NULL;
  if (!module) return result;
  module->handle = *out;
  module->invocations = invocations_of(info->pCode, info->codeSize / sizeof *info->pCode);
  pthread_mutex_lock(&lock);
  module->next = modules;
  modules = module;
  pthread_mutex_unlock(&lock);
  return result;
}

// Dawn puts "DawnDbg=...;Dawn_ShaderModule_" before a label.
static const char *label_of(const char *name) {
  static const char prefix[] = "Dawn_ShaderModule_";
  const char *found = strstr(name, prefix);
  return found ? found + strlen(prefix) : name;
}

static VKAPI_ATTR VkResult VKAPI_CALL set_object_name(VkDevice device, const VkDebugUtilsObjectNameInfoEXT *info) {
  (void)device;
  if (info->objectType != VK_OBJECT_TYPE_SHADER_MODULE || !info->pObjectName) return VK_SUCCESS;
  pthread_mutex_lock(&lock);
  Module *module = module_of((VkShaderModule)info->objectHandle);
  if (module) {
    snprintf(module->name, sizeof module->name, "%s", label_of(info->pObjectName));
    for (char *c = module->name; *c; c++) {
      if (!isalnum((unsigned char)*c) && *c != '.') *c = '_';
    }
  }
  pthread_mutex_unlock(&lock);
  return VK_SUCCESS;
}

static FILE *open_kept(const char *name, const char *extension, const char *mode) {
  char path[4096];
  const char *folder = getenv("ISA_FOLDER");
  int length = snprintf(path, sizeof path, "%s/%s%s", folder ? folder : ".", name, extension);
  FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, mode) : NULL;
  if (!file) perror(path);
  return file;
}

static void write_value(FILE *to, const VkPipelineExecutableStatisticKHR *statistic) {
  switch (statistic->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
      fputs(statistic->value.b32 ? "true" : "false", to);
      break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
      fprintf(to, "%lld", (long long)statistic->value.i64);
      break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
      fprintf(to, "%llu", (unsigned long long)statistic->value.u64);
      break;
    default:
      fprintf(to, "%.17g", statistic->value.f64);
  }
}

static void write_statistics(FILE *to, const VkPipelineExecutableInfoKHR *which) {
  uint32_t count = 0;
  OF_DEVICE(vkGetPipelineExecutableStatisticsKHR)(driver.device, which, &count, NULL);
  VkPipelineExecutableStatisticKHR *all = calloc(count, sizeof *all);
  if (!all) return;
  for (uint32_t i = 0; i < count; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
  OF_DEVICE(vkGetPipelineExecutableStatisticsKHR)(driver.device, which, &count, all);
  for (uint32_t i = 0; i < count; i++) {
    fprintf(to, "%s\"%s\":", i ? "," : "", all[i].name);
    write_value(to, &all[i]);
  }
  free(all);
}

// "Assembly" of RADV, "GEN Assembly" of ANV; the others have none.
static void write_assembly(const char *name, const VkPipelineExecutableInfoKHR *which) {
  uint32_t count = 0;
  OF_DEVICE(vkGetPipelineExecutableInternalRepresentationsKHR)(driver.device, which, &count, NULL);
  VkPipelineExecutableInternalRepresentationKHR *all = calloc(count, sizeof *all);
  if (!all) return;
  for (uint32_t i = 0; i < count; i++)
    all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR;
  OF_DEVICE(vkGetPipelineExecutableInternalRepresentationsKHR)(driver.device, which, &count, all);
  for (uint32_t i = 0; i < count; i++) all[i].pData = calloc(1, all[i].dataSize + 1);
  OF_DEVICE(vkGetPipelineExecutableInternalRepresentationsKHR)(driver.device, which, &count, all);
  for (uint32_t i = 0; i < count; i++) {
    FILE *file = all[i].isText && all[i].pData && strstr(all[i].name, "Assembly") ? open_kept(name, ".s", "w") : NULL;
    if (file) {
      fputs(all[i].pData, file);
      fclose(file);
    }
    free(all[i].pData);
  }
  free(all);
}

static void keep(VkPipeline pipeline, const Module *module) {
  VkPipelineInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR, .pipeline = pipeline};
  VkPipelineExecutablePropertiesKHR properties = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR};
  uint32_t count = 1; // a compute pipeline has one
  OF_DEVICE(vkGetPipelineExecutablePropertiesKHR)(driver.device, &which, &count, &properties);
  FILE *lines = open_kept("pipelines", ".jsonl", "a");
  if (!lines) return;
  VkPipelineExecutableInfoKHR first = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
  fprintf(lines, "{\"name\":\"%s\",\"invocations\":%u,\"subgroupSize\":%u,\"statistics\":{", module->name,
          module->invocations, properties.subgroupSize);
  write_statistics(lines, &first);
  fputs("}}\n", lines);
  fclose(lines);
  write_assembly(module->name, &first);
}

static VKAPI_ATTR VkResult VKAPI_CALL create_compute_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count,
                                                               const VkComputePipelineCreateInfo *infos,
                                                               const VkAllocationCallbacks *allocator, VkPipeline *out) {
  VkComputePipelineCreateInfo *telling = malloc(count * sizeof *telling);
  if (!telling) return VK_ERROR_OUT_OF_HOST_MEMORY;
  for (uint32_t i = 0; i < count; i++) {
    telling[i] = infos[i];
    telling[i].flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                        VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
  }
  VkResult result = OF_DEVICE(vkCreateComputePipelines)(device, cache, count, telling, allocator, out);
  free(telling);
  pthread_mutex_lock(&lock);
  for (uint32_t i = 0; i < count && result == VK_SUCCESS; i++) {
    const Module *module = module_of(infos[i].stage.module);
    if (module && module->name[0]) keep(out[i], module);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

const Answer PIPELINE_ANSWERS[] = {
    ANSWER("vkCreateShaderModule", create_shader_module),
    ANSWER("vkSetDebugUtilsObjectNameEXT", set_object_name),
    ANSWER("vkCreateComputePipelines", create_compute_pipelines),
    {NULL, NULL},
};
